# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks with sessions and control groups: whose vote, from where, and one's own."""

import contextlib
import os
import subprocess
import time

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR
from test_attack_policy import REVIEWERS, refused, under  # noqa: F401  a fixture


# ---- sessions and control groups (attacks B10, B13) ----


@pytest.fixture
def cgroups(host):
    """place(client, path): moves the process of a client into a control group, in this process tree only."""
    folder, made, clients = host.folder / "cgroup", [], []
    folder.mkdir()
    if subprocess.run(["mount", "-t", "cgroup2", "none", folder], check=False, capture_output=True).returncode != 0:
        pytest.skip("no control groups")

    def place(client, path):
        group = folder / path
        missing = [group, *group.parents]
        for parent in reversed([p for p in missing if folder in p.parents]):
            if not parent.exists():
                parent.mkdir()
                made.append(parent)
        (group / "cgroup.procs").write_text(str(client.process.pid))
        clients.append(client)
        return client

    yield place
    for client in clients:
        client.leave()
    for group in reversed(made):
        with contextlib.suppress(OSError):
            group.rmdir()
    subprocess.run(["umount", "-l", folder], check=True)


def scope(who, session):
    return f"user.slice/user-{bus.uid_of(who)}.slice/session-{session}.scope"


def manager(who):
    uid = bus.uid_of(who)
    return f"user.slice/user-{uid}.slice/user@{uid}.service/app.slice/x.service"


@pytest.mark.parametrize("change", [{"Remote": True}, {"State": "closing"}, {"LockedHint": True}, {"Class": "greeter"}])
def test_the_session_that_the_vote_comes_from_counts(under, cgroups, change):
    """bob's desk is unlocked; somebody with a shell of his, from elsewhere, votes. RemoteReviewers=no."""
    system = under(Reviewers=REVIEWERS)
    system.logind.add("bob", session="77", **change)
    login = system.login(service="test")
    bob = cgroups(system.client("bob"), scope("bob", "77"))
    assert refused(bob.approve, login).name == ERROR + "NotEligible"


def approved_session(system, session="s1", who="alice"):
    """A session of alice that began with an approval by bob, as sshd and the module make one."""
    client = system.client("root")
    login = system.login(who, service="test", client=client)
    assert system.client("bob").approve(login)[0] in ("approved", "pending")
    if login.verdict(0.2) is None:
        system.client("erin").approve(login)
    time.sleep(0.01)
    system.logind.leaders[session] = client.process.pid
    system.logind.add(who, session=session)
    client.call(bus.REQUESTER, "SessionOpened", "s", session)
    time.sleep(0.01)
    return client


SELF = {"Reviewers": REVIEWERS, "SelfReview": "yes"}


def test_self_review_from_an_approved_session(under, cgroups):
    system = under(**SELF)
    approved_session(system)
    login = system.login(service="test")
    alice = cgroups(system.client("alice"), scope("alice", "s1"))
    assert alice.approve(login) == ("approved", 0)
    assert "self-vote" in login.kinds()


def test_self_review_from_the_user_manager(under, cgroups):
    system = under(**SELF)
    approved_session(system)
    login = system.login(service="test")
    assert cgroups(system.client("alice"), manager("alice")).approve(login) == ("approved", 0)


def test_self_review_from_elsewhere(under, cgroups):
    """An unapproved second session, no session, a service, somebody else's manager, su, sudo, a forged path."""
    system = under(**SELF)
    approved_session(system)
    login = system.login(service="test")
    uid = bus.uid_of("alice")
    places = {
        "second session": (scope("alice", "alice"), {}), "unknown session": (scope("alice", "s2"), {}), "nowhere": (None, {}),
        "service": ("system.slice/web.service", {}),
        "scope below the manager of bob": (manager("bob").replace("x.service", "session-s1.scope"), {}),
        "bob's session": (scope("bob", "bob"), {}),
        "login uid of bob": (scope("alice", "s1"), {"login_uid": bus.uid_of("bob")}),
    }  # fmt: skip
    for name, (path, options) in places.items():
        client = system.client("alice", **options)
        if path:
            cgroups(client, path)
        for act in (client.approve, client.deny):
            error = refused(act, login)
            assert error.name in (ERROR + "SelfReview", ERROR + "NotEligible", bus.ACCESS_DENIED), (name, error)
    for account in ("bob", "root"):
        client = cgroups(system.client(account, login_uid=uid), scope("alice", "s1"))
        assert refused(client.approve, login).name in (ERROR + "SelfReview", bus.ACCESS_DENIED)
    assert login.verdict(0.1) is None and login.kinds() == ["request-created"]


@pytest.mark.parametrize("change", [
    {"LockedHint": True}, {"State": "closing"}, {"Class": "greeter"}, {"Timestamp": 1}, {"TimestampMonotonic": 1},
    {"Timestamp": 0}, {"Timestamp": 2**62}, "leader", "closed", "removed", "other uid",
])  # fmt: skip
def test_an_approved_session_that_changed(under, cgroups, change):
    system = under(**SELF)
    root = approved_session(system)
    login = system.login(service="test")
    if change == "leader":
        system.logind.leaders["s1"] = os.getpid()
    elif change == "closed":
        root.call(bus.REQUESTER, "SessionClosed", "s", "s1")
    elif change == "removed":
        system.logind.remove("s1")
    elif change == "other uid":
        system.logind.remove("s1")
        system.logind.add("mallory", session="s1")
    else:
        system.logind.change("s1", **change)
    alice = cgroups(system.client("alice"), scope("alice", "s1"))
    assert refused(alice.approve, login).name == ERROR + "SelfReview"


def test_an_approval_makes_one_session(under, cgroups):
    """The same process opens a second one; another process reports the first again; the same id again."""
    system = under(**SELF)
    root = approved_session(system)
    system.logind.leaders["s2"] = root.process.pid
    system.logind.add("alice", session="s2")
    root.call(bus.REQUESTER, "SessionOpened", "s", "s2")
    login = system.login(service="test")
    assert refused(cgroups(system.client("alice"), scope("alice", "s2")).approve, login).name == ERROR + "SelfReview"
    system.logind.remove("s1")
    system.logind.leaders["s1"] = root.process.pid
    time.sleep(0.01)
    system.logind.add("alice", session="s1")
    root.call(bus.REQUESTER, "SessionOpened", "s", "s1")
    login = system.login("alice", service="test")
    assert refused(cgroups(system.client("alice"), scope("alice", "s1")).approve, login).name == ERROR + "SelfReview"


def test_an_unprivileged_login_makes_no_approved_session(under, cgroups):
    system = under(**SELF)
    alice = system.client("alice")
    first = system.login("alice", service="test", client=alice)
    assert system.client("bob").approve(first) == ("approved", 0)
    time.sleep(0.01)
    system.logind.leaders["s1"] = alice.process.pid
    system.logind.add("alice", session="s1")
    system.client("root").call(bus.REQUESTER, "SessionOpened", "s", "s1")
    login = system.login("alice", service="test")
    assert refused(cgroups(system.client("alice"), scope("alice", "s1")).approve, login).name == ERROR + "SelfReview"


def test_a_session_younger_than_the_request_does_not_vouch(under, cgroups):
    system = under(**SELF)
    login = system.login(service="test")
    approved_session(system)
    assert refused(cgroups(system.client("alice"), scope("alice", "s1")).approve, login).name == ERROR + "SelfReview"


def test_the_session_that_asks_does_not_vouch_for_itself(under, cgroups):
    """sudo in the approved session; and from below the manager, where no session can be told."""
    system = under(**SELF)
    approved_session(system)
    alice = cgroups(system.client("alice"), scope("alice", "s1"))
    uid = bus.uid_of("alice")
    for path in (scope("alice", "s1"), manager("alice")):
        sudo = cgroups(system.client("root", login_uid=uid), path)
        login = system.login("alice", service="test", client=sudo)
        assert refused(alice.approve, login).name == ERROR + "SelfReview"
        by_manager = cgroups(system.client("alice"), manager("alice"))
        assert refused(by_manager.approve, login).name == ERROR + "SelfReview"
        login.client.leave()


def test_a_self_vote_is_looked_at_again(under, cgroups):
    system = under(Reviewers="peerauth-reviewers:2", SelfReview="yes", Admins="peerauth-admins")
    approved_session(system)
    login = system.login(service="test")
    assert cgroups(system.client("alice"), scope("alice", "s1")).approve(login) == ("pending", 1)
    system.logind.change("s1", LockedHint=True)
    assert system.client("bob").approve(login) == ("pending", 1)
    assert "vote-void" in login.kinds()
    system.logind.change("s1", LockedHint=False)
    assert cgroups(system.client("alice"), scope("alice", "s1")).approve(login) == ("approved", 0)


def test_nobody_is_the_administrator_of_their_own_login(under, cgroups):
    system = under(Reviewers="{erin bob}:2", SelfReview="yes", Admins="peerauth-admins")
    client = system.client("root")
    login = system.login("erin", service="test", client=client)
    system.client("root").approve(login)
    time.sleep(0.01)
    system.logind.leaders["s1"] = client.process.pid
    system.logind.add("erin", session="s1")
    client.call(bus.REQUESTER, "SessionOpened", "s", "s1")
    time.sleep(0.01)
    login = system.login("erin", service="test")
    erin = cgroups(system.client("erin"), scope("erin", "s1"))
    assert erin.approve(login) == ("pending", 1)
    assert refused(cgroups(system.client("root", login_uid=bus.uid_of("erin")), scope("erin", "s1")).approve, login).name == ERROR + "SelfReview"
    assert system.client("bob").approve(login) == ("approved", 0)
