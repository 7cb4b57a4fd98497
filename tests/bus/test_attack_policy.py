# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on who is said to be there, on votes that wait, and on everything at once."""

import contextlib
import ctypes
import os
import pathlib
import random
import signal
import time

import pytest

import peerauth_bus as bus
import test_limits
from jeepney import new_error
from peerauth_bus import ERROR, BusError, until
from peerauth_client import Client, Parser, Process, connect_and_authenticate, itertools, socket

REVIEWERS = "peerauth-reviewers:1"
EVERYBODY = ("bob", "carol", "dave", "erin", "frank", "root", "alice", "mallory")


def rule(name="test", action="require", **keys):
    return f"[Rule {name}]\nService={name}\nAction={action}\n" + "".join(f"{k}={v}\n" for k, v in keys.items())


@pytest.fixture
def under(host):
    def start(action="require", shim=None, **keys):
        host.start_broker(rules=rule(action=action, **keys), shim=shim)
        return host

    return start


@pytest.fixture
def accounts():
    """The files of accounts of this process tree, put back as they were. Written in place: they are mounts."""
    files = {name: pathlib.Path(os.environ["PEERAUTH_WORK"]) / name for name in ("passwd", "group")}
    before = {name: path.read_text() for name, path in files.items()}
    yield files
    for name, path in files.items():
        path.write_text(before[name])


def refused(call, *args, **kwargs):
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value


def crowd_first(system, sessions):
    """logind lists these sessions before those of the reviewers; a dict keeps its order, logind's hash does not."""
    own = dict(system.logind.sessions)
    with system.logind.lock:
        system.logind.sessions.clear()
    for session, who in sessions:
        system.logind.add(who, session=session)
    with system.logind.lock:
        system.logind.sessions.update(own)


# ---- attack: reviewers are there, and look absent (WhenNobody=allow-and-record) ----


def test_sessions_of_one_user_do_not_hide_the_reviewers(under):
    """reach.c does not read PresenceList.incomplete: 256 sessions of mallory, and nobody else is seen."""
    system = under(Reviewers=REVIEWERS, WhenNobody="allow-and-record")
    crowd_first(system, [(f"m{n}", "mallory") for n in range(256)])
    assert system.login(service="test").outcome == "pending"


def test_sessions_that_count_for_nothing_do_not_hide_the_reviewers(under):
    """Closing ones take a place, too: sessions whose processes linger."""
    system = under(Reviewers=REVIEWERS, WhenNobody="deny")
    crowd_first(system, [(f"m{n}", "mallory") for n in range(256)])
    for n in range(256):
        system.logind.change(f"m{n}", State="closing")
    assert system.login(service="test").outcome == "pending"


def test_many_people_do_not_hide_the_reviewers(under):
    """reach_add_person() drops the 129th without a word."""
    system = under(Reviewers=REVIEWERS, WhenNobody="allow-and-record")
    crowd_first(system, [(f"m{n}", 70000 + n) for n in range(128)])
    assert system.login(service="test").outcome == "pending"


def test_many_sessions_do_not_void_votes(under):
    """The same when votes are looked at again: who is past the 256th session has 'left'."""
    system = under(Reviewers="peerauth-reviewers:2")
    login = system.login(service="test")
    assert system.client("bob").approve(login) == ("pending", 1)
    crowd_first(system, [(f"m{n}", "mallory") for n in range(256)])
    try:
        system.client("carol").approve(login)
    except BusError as error:
        assert error.name == f"{bus.DBUS}.Error.Failed"
    assert "vote-void" not in login.kinds()


@pytest.mark.parametrize("who", ["no-such-account", "DOMAIN\\alice"])
@pytest.mark.parametrize("when_nobody", ["allow-and-record", "deny", "wait"])
def test_an_unknown_requester_does_not_make_reviewers_absent(under, who, when_nobody):
    """Attack A7, and a directory that knows the requester here and not there: bob, carol and dave are there."""
    system = under(Reviewers=REVIEWERS, WhenNobody=when_nobody)
    known = system.login("mallory", service="test", wait=False)
    assert (known.outcome, known.info["reachable"], known.info["enough"]) == ("pending", 4, True)
    unknown = system.login(who, service="test", wait=False)
    assert unknown.outcome == "pending"
    assert unknown.info == known.info


def test_reviewers_without_an_account_are_not_absent(under, accounts):
    """nslcd that does not answer makes getpwuid_r() say ENOENT: logind has their sessions, so they are there."""
    system = under(Reviewers=REVIEWERS, WhenNobody="allow-and-record")
    text = accounts["passwd"].read_text()
    accounts["passwd"].write_text("".join(
        line for line in text.splitlines(True) if line.split(":")[0] not in ("bob", "carol", "dave")))
    assert system.login(service="test").outcome == "pending"


def test_a_reviewers_group_that_is_gone_is_not_nobody(under, accounts):
    """One group of the directory, one of this machine: the first is not found for a while."""
    system = under(Reviewers="peerauth-reviewers:1 or others:1", WhenNobody="allow-and-record")
    system.logind.remove("frank")
    assert system.login(service="test").outcome == "pending"
    text = accounts["group"].read_text()
    accounts["group"].write_text("".join(line for line in text.splitlines(True) if not line.startswith("peerauth-reviewers:")))
    assert system.login("mallory", service="test").outcome == "pending"


def test_a_reviewers_group_that_is_gone_beside_accounts(under, accounts):
    system = under(Reviewers="peerauth-reviewers:1 or {frank}", WhenNobody="allow-and-record")
    system.logind.remove("frank")
    text = accounts["group"].read_text()
    accounts["group"].write_text("".join(line for line in text.splitlines(True) if not line.startswith("peerauth-reviewers:")))
    assert system.login(service="test").outcome == "pending"


def test_logind_that_answers_once(under):
    """ListSessions is answered, the sessions are not."""
    system = under(Reviewers=REVIEWERS, WhenNobody="allow-and-record")
    answer = system.logind._answer

    def forgetful(call):
        if call.header.fields[bus.HeaderFields.member] == "GetAll":
            return new_error(call, f"{bus.DBUS}.Error.NoReply", "s", ("too slow",))
        return answer(call)

    system.logind._answer = forgetful
    assert system.login(service="test").outcome == "pending"


# ---- attack B10: reviewing one's own su ----


class SuClient(Client):
    """A program that is set-uid root, as su is while it asks PAM: the real uid is still the person's.

    login_uid is what that person wrote into /proc/self/loginuid, which everybody may as long as it is unset:
    in whatever no pam_loginuid has seen, such as services with User=, xrdp and some web consoles.
    """

    def __init__(self, path, real, login_uid=None):
        uid = bus.uid_of(real)

        def act(far):
            if login_uid is not None:
                os.setresuid(uid, uid, 0)
                ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, as a shell of carol's is
                with open("/proc/self/loginuid", "w", encoding="ascii") as file:
                    file.write(str(login_uid))
                os.setresuid(0, 0, 0)
            sock = connect_and_authenticate(path, 0)
            os.setresuid(uid, 0, 0)
            socket.send_fds(far, [b"+"], [sock.fileno()])
            sock.close()
            far.recv(1)

        self.uid, self.closed = 0, False
        self.process = Process(0, act)
        data, fds, _, _ = socket.recv_fds(self.process.near, 4096, 1)
        assert data[:1] == b"+", data
        self.sock = socket.socket(fileno=fds[0])
        self.parser, self.serials = Parser(), itertools.count(1)
        self.replies, self.signals, self.others = {}, [], []
        self.name = self.call(bus.DBUS, "Hello", destination=bus.DBUS, path=bus.DBUS_PATH)[0]


@pytest.mark.parametrize("forged", [None, "bob"], ids=["no login uid", "the login uid of somebody else"])
def test_su_from_where_no_login_was_recorded(under, forged):
    """carol knows alice's password and the code that su shows her; she is no peer."""
    system = under(Reviewers=REVIEWERS)
    su = SuClient(system.socket, "carol", bus.uid_of(forged) if forged else None)
    system.clients.append(su)
    login = system.login("alice", service="test", client=su, ruser="carol")
    assert refused(system.client("carol").approve, login).name == ERROR + "SelfReview"
    assert login.verdict(0.1) is None


# ---- entries that can be injected ----


@pytest.mark.parametrize("action", ["monitor", "deny", "nobody"])
def test_entries_of_unprivileged_callers_say_so(under, action):
    """Anybody may say that they log in through sshd; the ledger must not believe it."""
    keys = {"monitor": {"action": "monitor", "Reviewers": REVIEWERS}, "deny": {"action": "deny"},
            "nobody": {"Reviewers": "others:1", "WhenNobody": "allow-and-record"}}[action]
    system = under(**keys)
    system.logind.remove("frank")
    system.client("root").create("alice", "test", tty="tty1")
    system.client("alice").create("alice", "test", tty="tty1")
    real, forged = until(lambda: [e for e in system.entries() if e["kind"] in ("monitored", "refused", "allowed-nobody")][:2])
    assert {k: v for k, v in real.items() if k not in ("index", "time")} != {
        k: v for k, v in forged.items() if k not in ("index", "time")}


# ---- votes while votes are looked at again ----


def test_a_vote_during_the_recheck_is_not_void(under, host):
    """frank's came in after the question who is there; nobody asked about him, so nothing says that he left."""
    shim = bus.Shim(host.folder)
    system = under(shim=shim, Reviewers="{slow bob carol}:2 or {frank dave}:2")
    system.logind.add("slow", session="slow")
    login, bob = system.login(service="test"), system.client("bob")
    assert system.client("slow").approve(login) == ("pending", 1)
    frank = system.client("frank")
    shim.set(name_service_hangs=1)
    serial = bob.send_approve(login)
    assert bob.message(serial, 0.3) is None
    assert frank.approve(login) == ("pending", 1)
    system.logind.change("slow", LockedHint=True)
    shim.set(name_service_hangs=0)
    bob.reply(serial)
    assert "frank" not in [e.get("person") for e in login.entries() if e["kind"] == "vote-void"]


def test_a_login_that_arrives_while_the_policy_changes_can_be_approved(under, host):
    """It keeps its rule, whose groups nobody looks up any more: it waits for nobody until it expires."""
    shim = bus.Shim(host.folder)
    system = under(shim=shim, Reviewers=REVIEWERS)
    system.logind.add("slow", session="slow")
    shim.set(name_service_hangs=1)
    client = system.client("root")
    serial = client.send(bus.REQUESTER, "CreateRequest", "a{sv}", {"user": ("s", "mallory"), "service": ("s", "test")})
    assert client.message(serial, 0.3) is None
    system.broker.reload(rule(Reviewers="{dave}"), "in force")
    shim.set(name_service_hangs=0)
    outcome, identity, code, _, info = client.reply(serial)
    system.codes.append(code)
    assert (outcome, bus.plain(info)["reviewers"]) == ("pending", "1 of peerauth-reviewers")
    bob = system.client("bob")
    assert bob.reply(bob.send(bus.REVIEWER, "Approve", "sssa{sv}", identity, code, "", {})) == ("approved", 0)


# ---- everything at once ----

CHAOS_RULES = [
    "peerauth-reviewers:2", "peerauth-reviewers:1 and others:1", "{bob carol}:2 or {frank dave}:2", "peerauth-reviewers:3 or others:1",
    "{slow bob}:2 or peerauth-reviewers:2",
]  # fmt: skip
PEOPLE = ("bob", "carol", "dave", "erin", "frank", "alice", "mallory", "slow")


def fills(expression, voters):
    """Whether the people are enough, by trying: an oracle that shares nothing with the product."""
    members = {"peerauth-reviewers": {"alice", "bob", "carol", "dave"}, "others": {"frank"}}

    def part(text):
        number = int(text.rsplit(":", 1)[1]) if ":" in text.rsplit("}", 1)[-1] else 1
        name = text.rsplit(":", 1)[0] if ":" in text.rsplit("}", 1)[-1] else text
        return (set(name.strip("{}").split()) if name[0] == "{" else members[name]), number

    def seat(places, people):
        if not places:
            return True
        return any(seat(places[1:], people - {p}) for p in people & places[0])

    for alternative in expression.split(" or "):
        places = [who for who, n in map(part, alternative.split(" and ")) for _ in range(n)]
        if seat(places, set(voters)):
            return True
    return False


@pytest.mark.parametrize("seed", range(int(os.environ.get("PEERAUTH_CHAOS", "4"))))
def test_chaos(host, seed):
    """Random people, votes, locks, reloads, hangs and disconnections; the ledger must justify every approval."""
    chance, shim = random.Random(seed), bus.Shim(host.folder)
    expression = CHAOS_RULES[seed % len(CHAOS_RULES)]
    rules = rule(Reviewers=expression, DenyThreshold=2, Expires="1min",
                 **({"EscalateTo": "{mallory}", "EscalateAfter": "10s"} if seed % 2 else {}))
    host.start_broker(shim=shim, rules=rules)
    host.logind.add("slow", session="slow")
    clients = {who: [host.client(who) for _ in range(2)] for who in PEOPLE}
    logins = []
    end = time.monotonic() + float(os.environ.get("PEERAUTH_CHAOS_SECONDS", "8")) + 6 * (seed % 2)
    while time.monotonic() < end:
        what = chance.random()
        if what < 0.15 and len(logins) < 6:
            client = host.client("root")
            try:
                login = host.login(chance.choice(("alice", "user10", "bob", "user11")), service="test", client=client, wait=False)
            except BusError:  # logind or a policy that is not there just now
                client.leave()
                continue
            if login.id:
                login.waiting = login.wait()
                logins.append(login)
            else:
                client.leave()
        elif what < 0.70 and logins:
            who, login = chance.choice(PEOPLE), chance.choice(logins)
            client = chance.choice(clients[who])
            code = login.code if chance.random() < 0.9 else "000000"
            client.send_approve(login, code) if chance.random() < 0.88 else client.send_deny(login)
        elif what < 0.78:
            who = chance.choice(PEOPLE)
            host.logind.change(who, LockedHint=chance.random() < 0.4)
        elif what < 0.82:
            shim.set(name_service_hangs=int(chance.random() < 0.5))
        elif what < 0.86:
            host.broker.write_rules(rules + f"# {chance.random()}\n" if chance.random() < 0.7 else "nonsense")
            host.broker.process.send_signal(signal.SIGHUP)
        elif what < 0.88 and logins:
            logins.pop(chance.randrange(len(logins))).client.leave()
        elif what < 0.94:
            who = chance.choice(PEOPLE)
            clients[who].pop(0).leave()
            clients[who].append(host.client(who))
        elif what < 0.96:
            host.logind.hangs = True
            time.sleep(0.05)
            host.logind.hangs = False
        for login in [q for q in logins if q.client.message(q.waiting, 0.001) is not None]:
            logins.remove(login)
            login.client.leave()
    shim.set(name_service_hangs=0)
    host.logind.hangs = False
    time.sleep(2.5)
    assert host.broker.running(), host.broker.output()
    entries, approvals = host.entries(), 0
    created = {e["request"]: e for e in entries if e["kind"] == "request-created"}
    for identity, first in created.items():
        votes, over, escalated = {}, None, False
        for e in entries:
            if e.get("request") != identity:
                continue
            assert over is None, f"{e} after {over}"
            if e["kind"] == "vote":
                assert e["person"] != first["user"]
                assert not (votes.get(e["person"]) == "deny" and e["vote"] == "approve"), "a denial became an approval"
                votes[e["person"]] = e["vote"]
            elif e["kind"] == "vote-void":
                assert votes.pop(e["person"]) == "approve"
            elif e["kind"] == "escalated":
                escalated = True
            elif e["kind"] in ("decision", "expired", "cancelled"):
                over = e
                if e["outcome"] == "approved":
                    approvals += 1
                    people = {who for who, vote in votes.items() if vote == "approve"}
                    assert set(e["by"]) == people
                    assert fills(expression + (" or {mallory}" if escalated else ""), people), (expression, votes)
    assert len(created) > 3
    print(f"{len(created)} logins, {approvals} approved, {sum(e['kind'] == 'vote-void' for e in entries)} votes void")


# ---- one reviewer against the deny threshold; names that choose a rule ----


def test_one_reviewer_ends_it_with_wrong_codes_whatever_the_threshold(under):
    """Attack C3 outweighs DenyThreshold=; the ledger tells the difference."""
    system = under(Reviewers="peerauth-reviewers:2", DenyThreshold=2)
    login, bob = system.login(service="test"), system.client("bob")
    wrong = "000000" if login.code != "000000" else "000001"
    for _ in range(3):
        assert refused(bob.approve, login, wrong).name == ERROR + "CodeMismatch"
    assert login.verdict()[0] == "denied" and login.kinds().count("wrong-code") == 3


@pytest.mark.parametrize("rhost", [
    "LOCALHOST", "localhost", "127.1", "0x7f000001", "::1", "0", " ", "192.0.2.7 ", "192.0.2.7\n", "%eth0", "fe80::1%eth0%eth1", "[::1]",
    "192.0.2.7/32", "::ffff:0:0", "1", "\u200b", "a" * 256,
])  # fmt: skip
def test_remote_hosts_are_never_local(under, rhost):
    system = under("exempt", Location="local")
    assert system.login(service="test", rhost=rhost, wait=False).outcome == "denied"


def test_dear_patterns(under):
    """Notes and reasons at their limits, against a pattern as dear as one may be."""
    system = under(Reviewers=REVIEWERS, Note="match:([a-c]*x?y?){0,19}z", Reason="match:(a|aa|b*|c?){0,20}d")
    start = time.monotonic()
    assert system.login(service="test", can_ask=True, reason="a" * 199 + "d", wait=False).outcome == "denied"
    login = system.login(service="test", can_ask=True, reason="a" * 40 + "d")
    assert login.outcome == "pending", system.broker.output()[-300:]
    for note in ("a" * 500, "abcx" * 125, "b" * 499 + "z"):
        with contextlib.suppress(BusError):
            system.client("bob").approve(login, note=note)
    assert time.monotonic() - start < 2


def test_descriptors_and_memory_after_all_that(under):
    """Attack B15: 2,000 votes of people who may, may not, or are somebody else."""
    system = under(Reviewers="peerauth-reviewers:3", DenyThreshold=3)
    login = system.login(service="test")
    clients = [system.client(who) for who in ("bob", "carol", "frank", "alice", "mallory")]

    def round_of(n):
        for _ in range(n):
            for serial, client in [(c.send_approve(login), c) for c in clients]:
                client.message(serial)

    round_of(50)
    descriptors, memory = system.broker.descriptors(), system.broker.memory_kib()
    round_of(350)
    assert system.broker.descriptors() == descriptors
    assert bus.SANITIZED or system.broker.memory_kib() - memory < 1024
    assert login.kinds() == ["request-created", "vote", "vote"]


# ---- attack B16, for the calls and keys that rules brought ----


@pytest.mark.parametrize("who", ["root", "bob", "alice"])
def test_random_calls_under_all_keys(host, who):
    """Right members, wrong contents, under a rule that uses everything; reloads and locks in between."""
    rules = rule(Reviewers="peerauth-reviewers:1 and others:1 or {bob carol}:2", EscalateTo="{mallory}", EscalateAfter="10s",
                 SelfReview="yes", Note="match:[a-z]{1,9}", Reason="optional", DenyThreshold=2, Admins="peerauth-admins",
                 Expires="10min") + rule("watch", "monitor", Reviewers="others:2", Address="192.0.2.0/24") + rule(
                     "open", Reviewers="others:1", WhenNobody="allow-and-record", Time="Mon-Sun 00:00-24:00", Tty="tty*")
    host.start_broker(rules=rules)
    watched = host.login("user10", service="test")
    fuzz, methods = test_limits.Fuzz(who + "rules", [watched.id, "0" * 32]), list(test_limits.members())
    fuzz.KEYS = [*fuzz.KEYS, "stage", "can-ask", "reason"]
    fuzz.TEXTS = [*fuzz.TEXTS, "test", "watch", "open", "account", "auth", "s1", who]
    client, held = host.client(who), 0
    for n in range(test_limits.count(60)):
        serials = []
        for _ in range(14):
            interface, member, signature = fuzz.chance.choice(methods)
            kinds, body = fuzz.body(signature)
            serials.append((member, client.send(interface, member, kinds, *body)))
        for member, serial in serials:
            answer = client.message(serial, 10)
            held += answer is None and member != "WaitDecision"
        if n % 10 == 0:
            host.broker.write_rules(rules + f"# {n}\n")
            host.logind.change(who, LockedHint=n % 20 == 0)
            client.leave()
            client = host.client(who)
    assert held == 0 and host.broker.running()
    assert (watched.verdict(0.1) or [""])[0] != "approved", "random calls approved a request without its code"
