# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is calling is what bus, kernel and logind say, and never what the caller says."""

import os
import pathlib
import random
import time

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError, Process, raw_call

ROUNDS = 100_000 if os.environ.get("PEERAUTH_ROUNDS") == "full" else 0
SECONDS = 8


def refused(call, *args, **kwargs):
    """The name of the error that the call gets."""
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value.name


def race(system, who, frames, seed):
    """A process of who connects, sends frames and is gone, over and over; how often."""
    path, uid = system.socket, bus.uid_of(who)
    hello = raw_call(1, bus.DBUS, "Hello", "", (), destination=bus.DBUS, path=bus.DBUS_PATH)

    def act(far):
        chance, rounds, end = random.Random(seed), 0, time.monotonic() + (3600 if ROUNDS else SECONDS)
        while rounds < (ROUNDS or 10**9) and time.monotonic() < end:
            sock = bus.connect_and_authenticate(path, uid)
            sock.sendall(hello + frames[rounds % len(frames)])
            if rounds % 3:
                time.sleep(chance.random() * 0.0006)
            sock.close()
            rounds += 1
        far.sendall(b"%d" % rounds)

    process = Process(uid, act)
    process.near.settimeout(3700)
    answer = process.near.recv(4096)
    process.end()
    assert not answer.startswith(b"!"), answer
    return int(answer)


def test_the_caller_is_gone_before_the_look_up(system):
    """Attacks B1 and B2. Root has a session: one look-up taken for uid 0 would approve, or create."""
    login = system.login(rhost="here")
    system.client("root").statistics()
    before, entries = system.broker.descriptors(), len(system.entries())
    request = {"user": ("s", "alice"), "service": ("s", "one"), "rhost": ("s", "forged")}
    frames = [
        raw_call(2, bus.REVIEWER, "Approve", "sssa{sv}", (login.id, login.code, "", {})),
        raw_call(2, bus.REVIEWER, "Deny", "ssa{sv}", (login.id, "", {})),
        raw_call(2, bus.REQUESTER, "CreateRequest", "a{sv}", (request,)),
        raw_call(2, bus.AUDITOR, "OpenSnapshot", "", ()),
        raw_call(2, bus.REVIEWER, "Subscribe", "", ()),
        raw_call(2, bus.REQUESTER, "CancelRequest", "s", (login.id,)),
    ]
    rounds = race(system, "mallory", frames, 1)
    assert rounds >= (ROUNDS or 1000)
    assert login.verdict(0.5) is None
    assert len(system.entries()) == entries
    output = system.broker.output()
    assert output.count("a caller was denied: message bus") > rounds // 50, "the race was never won"
    assert system.control.statistics()["subscribers"] == 0
    assert system.broker.descriptors() == before
    assert system.client("bob").approve(login) == ("approved", 0)


def test_reviewers_who_leave_at_once_vote_or_do_not(system):
    """The same race by somebody who may: each login is either approved once, or still waits."""
    bob, outcomes = bus.uid_of("bob"), []
    for n in range(30):
        login = system.login()
        frame = raw_call(2, bus.REVIEWER, "Approve", "sssa{sv}", (login.id, login.code, "", {}))
        hello = raw_call(1, bus.DBUS, "Hello", "", (), destination=bus.DBUS, path=bus.DBUS_PATH)

        def act(_far, n=n, frame=frame, hello=hello):
            sock = bus.connect_and_authenticate(system.socket, bob)
            sock.sendall(hello + frame)
            time.sleep(n % 10 * 0.0004)

        process = Process(bob, act)
        process.near.recv(1)
        process.end()
        decided = login.verdict(0.1)
        outcomes.append(decided and decided[0])
        assert outcomes[-1] in (None, "approved")
        assert login.kinds() == ["request-created"] + (["vote", "decision"] if decided else [])
        login.client.leave()


def test_the_process_behind_the_connection_has_ended(system):
    """Its pid may belong to somebody else by now, so the call is denied."""
    login = system.login()
    bob = system.client("bob")
    bob.process.end()
    assert refused(bob.approve, login) == bus.ACCESS_DENIED
    assert login.verdict(0.1) is None


def test_the_process_has_another_uid_than_the_connection(system):
    """A connection that root made, in the hands of a program that has given root up."""
    login = system.login()
    former = system.client("root", become=bus.uid_of("mallory"))
    assert refused(former.approve, login) == bus.ACCESS_DENIED
    assert refused(former.deny, login) == bus.ACCESS_DENIED
    assert login.verdict(0.1) is None


@pytest.mark.parametrize(("name", "uid"), [("high", 2**31), ("top", 2**32 - 2)])
def test_uids_are_unsigned(system, name, uid):
    """Attack B3."""
    try:
        client = system.client(name)
    except PermissionError as error:
        pytest.skip(f"this machine's user namespace has no uid {uid}: {error}")
    assert refused(client.create, "alice", "one") == bus.ACCESS_DENIED
    own = system.login(name, client=client)
    assert system.client("bob").get(own)["uid"] == uid
    assert (own.entries()[0]["uid"], own.entries()[0]["verified"]) == (uid, 0)
    login = system.login()
    assert refused(client.approve, login) == ERROR + "NoSuchRequest"
    assert refused(client.call, bus.AUDITOR, "GetCheckpoint") == bus.ACCESS_DENIED
    assert refused(client.approve, own) == ERROR + "SelfReview"
    assert own.verdict(0.1) is None and login.verdict(0.1) is None


@pytest.fixture
def accounts():
    """Edits the name service's files; they are put back afterwards."""
    before = {name: pathlib.Path("/etc", name).read_text() for name in ("passwd", "group")}

    def edit(name, old, new):
        assert old in before[name]
        pathlib.Path("/etc", name).write_text(before[name].replace(old, new))

    yield edit
    for name, text in before.items():
        pathlib.Path("/etc", name).write_text(text)


def test_a_reviewer_who_has_left_the_group(system, accounts):
    login, bob = system.login(), system.client("bob")
    assert bob.get(login)["can-decide"] is True
    accounts("group", "alice,ally,bob,carol,dave", "alice,ally,carol,dave")
    assert refused(bob.approve, login) == ERROR + "NoSuchRequest"
    assert login.verdict(0.1) is None


def test_a_uid_without_an_account(system, accounts):
    """The bus admits accounts only; this one is deleted while it is connected."""
    login, stranger = system.login(), system.client("dave")
    accounts("passwd", "dave:x:64104", "nomore:x:64999")
    assert refused(stranger.create, "alice", "one") == bus.ACCESS_DENIED
    assert refused(stranger.approve, login) == bus.ACCESS_DENIED
    assert refused(stranger.requests) == bus.ACCESS_DENIED


@pytest.mark.parametrize("key", ["uid", "pid", "name", "person", "verified", "code", "User", "user\n", ""])
def test_identity_is_no_argument(system, key):
    """Attack B4."""
    login = system.login()
    for value in (("u", 0), ("s", "root"), ("b", True)):
        facts = {"user": ("s", "alice"), "service": ("s", "one"), key: value}
        for who in ("root", "alice", "mallory"):
            assert refused(system.client(who).call, bus.REQUESTER, "CreateRequest", "a{sv}", facts) == bus.INVALID_ARGS
        mallory = system.client("mallory")
        options = {key: value}
        assert refused(mallory.call, bus.REVIEWER, "Approve", "sssa{sv}", login.id, login.code, "", options) == bus.INVALID_ARGS
        assert refused(mallory.call, bus.REVIEWER, "Deny", "ssa{sv}", login.id, "", options) == bus.INVALID_ARGS
        assert refused(mallory.call, bus.REVIEWER, "ListRequests", "a{sv}", options) == bus.INVALID_ARGS
    assert login.kinds() == ["request-created"]


@pytest.mark.parametrize("facts", [
    {}, {"user": ("s", "alice")}, {"service": ("s", "one")}, {"user": ("s", ""), "service": ("s", "one")},
    {"user": ("u", 0), "service": ("s", "one")}, {"user": ("v", ("s", "alice")), "service": ("s", "one")},
    {"user": ("s", "a" * 257), "service": ("s", "one")}, {"user": ("s", "alice"), "service": ("s", "x" * 65)},
    {"user": ("s", "alice"), "service": ("s", "one"), "time-left": ("s", "1")},
    {"user": ("s", "alice"), "service": ("s", "one"), "rhost": ("s", "h" * 257)},
])  # fmt: skip
def test_malformed_logins(system, facts):
    assert refused(system.control.call, bus.REQUESTER, "CreateRequest", "a{sv}", facts) == bus.INVALID_ARGS
    assert [entry["kind"] for entry in system.entries()] == ["broker-started"]


def test_only_root_speaks_for_others(system):
    """Attack B14."""
    mallory = system.client("mallory")
    assert refused(mallory.create, "alice", "one") == bus.ACCESS_DENIED
    assert refused(mallory.create, "alice", "door") == bus.ACCESS_DENIED
    assert refused(mallory.create, "root", "one") == bus.ACCESS_DENIED
    assert refused(mallory.create, "no-such-account", "one") == bus.ACCESS_DENIED
    assert refused(mallory.create, "mallory", "one", rhost="trusted.example") == bus.ACCESS_DENIED
    assert refused(mallory.create, "mallory", "one", ruser="root") == bus.ACCESS_DENIED
    assert [entry["kind"] for entry in system.entries()] == ["broker-started"]


def test_an_exemption_is_no_right(system):
    """That a service is exempt for everybody may be known to everybody; nothing is granted or recorded."""
    mallory = system.client("mallory")
    assert mallory.create("alice", "exempt")[:4] == ("exempt", "", "", 0)
    assert [entry["kind"] for entry in system.entries()] == ["broker-started"]


def test_an_own_login_is_marked_unverified(system):
    own = system.login("mallory", client=system.client("mallory"), tty="pts/9")
    assert system.client("bob").get(own)["verified"] is False
    assert own.entries()[0]["verified"] == 0
    assert system.client("bob").approve(own) == ("approved", 0)
    assert own.verdict()[0] == "approved"


def test_nobody_reviews_himself(system):
    """Attack B10: alice is a reviewer; ally is another name of her uid."""
    alice = system.client("alice")
    for user in ("alice", "ally"):
        login = system.login(user)
        assert login.entries()[0]["user"] == "alice"
        assert refused(alice.approve, login) == ERROR + "SelfReview"
        assert refused(alice.deny, login) == ERROR + "SelfReview"
        seen = alice.get(login)
        assert seen["can-decide"] is False and seen["why-not"] == "Nobody may review their own login."
        assert login.kinds() == ["request-created"] and login.verdict(0.1) is None


def test_nobody_sees_the_code_of_his_own_login(system):
    """Code=compare shows it to who may decide, and to nobody else."""
    login = system.login(service="compare")
    assert "code" not in system.client("alice").get(login)
    assert system.client("bob").get(login)["code"] == login.code
    assert "code" not in system.client("dave", login_uid=bus.uid_of("alice")).get(login)


@pytest.mark.parametrize(("account", "expected"), [("bob", "SelfReview"), ("root", "SelfReview")])
def test_su_does_not_change_the_person(system, account, expected):
    """Attack B10: alice under another uid, as the kernel's login uid tells."""
    login = system.login()
    disguised = system.client(account, login_uid=bus.uid_of("alice"))
    assert refused(disguised.approve, login) == ERROR + expected
    assert refused(disguised.deny, login) == ERROR + expected
    assert login.kinds() == ["request-created"] and login.verdict(0.1) is None


def test_who_asks_by_su_does_not_review(system):
    """Attack B10: carol becomes alice by su, whose module runs as root; carol knows the code, so she is no peer."""
    login = system.login("alice", client=system.client("root", login_uid=bus.uid_of("carol")))
    assert refused(system.client("carol").approve, login) == ERROR + "SelfReview"
    assert refused(system.client("root", login_uid=bus.uid_of("carol")).approve, login) == ERROR + "SelfReview"
    assert refused(system.client("alice").approve, login) == ERROR + "SelfReview"
    assert login.verdict(0.1) is None
    assert system.client("bob").approve(login) == ("approved", 0)


def test_a_borrowed_account_reviews_nothing(system):
    login = system.login("mallory")
    disguised = system.client("bob", login_uid=bus.uid_of("alice"))
    assert refused(disguised.approve, login) == ERROR + "NotEligible"
    assert refused(system.client("olga", login_uid=bus.uid_of("mallory")).call, bus.AUDITOR, "GetCheckpoint") == bus.ACCESS_DENIED
    assert login.verdict(0.1) is None


def test_sudo_is_recorded_with_the_person(system):
    login = system.login(service="two")
    assert system.client("root", login_uid=bus.uid_of("carol")).approve(login) == ("approved", 0)
    vote = login.entries()[1]
    assert (vote["by"], vote["by_uid"], vote["person"], vote["person_uid"]) == ("root", 0, "carol", 64103)
    assert login.verdict() == ("approved", {"by": ["carol"]})


def test_two_sessions_are_one_person(system):
    """Attack B11."""
    system.logind.add("bob")
    login = system.login(service="two")
    assert system.client("bob").approve(login) == ("pending", 1)
    again = [system.client("bob"), system.client("bob", login_uid=bus.uid_of("bob"))]
    assert [refused(bob.approve, login) for bob in again] == [ERROR + "AlreadyDecided"] * 2
    assert login.verdict(0.1) is None
    assert login.kinds() == ["request-created", "vote"]


@pytest.mark.parametrize(("properties", "service", "allowed"), [
    ({}, "one", True), ({"State": "online"}, "one", True), ({"State": "closing"}, "one", False),
    ({"LockedHint": True}, "one", False), ({"Class": "greeter"}, "one", False), ({"Class": "background"}, "one", False),
    ({"Class": "lock-screen"}, "one", False), ({"Class": "manager"}, "one", False),
    ({"Remote": True}, "one", False), ({"Remote": True}, "remote", True),
    ({"Remote": True, "LockedHint": True}, "remote", False), (None, "one", False),
])  # fmt: skip
def test_which_sessions_count(system, properties, service, allowed):
    """Attack B13."""
    login = system.login(service=service)
    bob = system.client("bob")
    if properties is None:
        system.logind.remove("bob")
    else:
        system.logind.change("bob", **properties)
    assert bob.get(login)["can-decide"] is allowed
    if allowed:
        assert bob.approve(login) == ("approved", 0)
    else:
        assert refused(bob.approve, login) == ERROR + "NotEligible"
        assert refused(bob.deny, login) == ERROR + "NotEligible"
        assert login.kinds() == ["request-created"]


def test_administrators_may_be_remote(system):
    login = system.login(service="two")
    system.logind.change("erin", Remote=True)
    assert system.client("erin").approve(login) == ("approved", 0)
    assert login.entries()[1]["session"] == "remote"


def test_an_unknown_account_waits_for_nobody(system):
    """Attack A7: it looks like any other login, and nobody can vouch for it."""
    login = system.login("no-such-account")
    assert login.outcome == "pending" and len(login.code) == 6
    assert login.entries()[0]["uid"] == 2**32 - 1
    for who in ("bob", "erin", "root"):
        client = system.client(who)
        assert client.requests() == ([], 0)
        assert refused(client.approve, login) == ERROR + "NoSuchRequest"
