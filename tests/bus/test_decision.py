# SPDX-License-Identifier: LGPL-2.1-or-later
"""A request is decided once, by a right code, and nobody hears of it before the ledger has it."""

import re
import shutil
import signal
import subprocess

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError, until

ROUNDS = 200


def outcome(client, serial):
    """The body of the answer, or the name of the error."""
    try:
        return client.reply(serial)
    except BusError as error:
        return error.name


def refused(call, *args, **kwargs):
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value.name


def other_code(*codes):
    return next(code for code in ("000000", "999999", "123456", "654321") if code not in codes)


def test_three_wrong_codes_deny(system):
    login, bob = system.login(), system.client("bob")
    wrong = other_code(login.code)
    assert refused(bob.approve, login, code=wrong) == ERROR + "CodeMismatch"
    assert refused(system.client("carol").approve, login, code=wrong) == ERROR + "CodeMismatch"
    assert login.verdict(0.1) is None
    assert refused(bob.approve, login, code=wrong) == ERROR + "CodeMismatch"
    verdict, details = login.verdict()
    assert (verdict, details["reason"]) == ("denied", "Too many wrong codes were entered.")
    assert login.kinds() == ["request-created", "wrong-code", "wrong-code", "wrong-code", "decision"]
    assert [e["wrong_codes"] for e in login.entries() if e["kind"] == "wrong-code"] == [1, 2, 3]
    assert [e["person"] for e in login.entries() if e["kind"] == "wrong-code"] == ["bob", "carol", "bob"]
    assert refused(bob.approve, login) == ERROR + "AlreadyDecided"
    assert login.kinds()[-1] == "decision"


def test_the_right_code_after_two_wrong_ones(system):
    login, bob = system.login(), system.client("bob")
    for _ in range(2):
        refused(bob.approve, login, code=other_code(login.code))
    assert bob.approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"


def test_the_victims_code_on_the_attackers_request(system):
    """Attack C2."""
    victim = system.login("alice", rhost="desk")
    attacker = system.login("mallory", rhost="elsewhere")
    bob = system.client("bob")
    assert refused(bob.approve, attacker, code=victim.code) == ERROR + "CodeMismatch"
    assert attacker.kinds() == ["request-created", "wrong-code"]
    assert attacker.entries()[-1]["wrong_codes"] == 1
    assert victim.kinds() == ["request-created"]
    assert attacker.verdict(0.1) is None
    assert bob.approve(victim) == ("approved", 0)
    assert victim.verdict()[0] == "approved" and attacker.verdict(0.1) is None


@pytest.mark.parametrize("service", ["one", "compare"])
@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "abcdef", "½½½", "-12345", " 12345", "１２３４５６", "000000\n"])
def test_approving_takes_a_code(system, service, code):
    """Attack C6: refused as malformed, which uses up no try."""
    login, bob = system.login(service=service), system.client("bob")
    for _ in range(4):
        assert refused(bob.approve, login, code=code) == bus.INVALID_ARGS
    for signature, body in (("ssa{sv}", (login.id, "", {})), ("s", (login.id,)), ("sss", (login.id, login.code, ""))):
        assert refused(bob.call, bus.REVIEWER, "Approve", signature, *body) == bus.INVALID_ARGS
    assert login.kinds() == ["request-created"] and login.verdict(0.05) is None
    assert bob.approve(login) == ("approved", 0)


def test_codes_differ_and_ids_do(system):
    logins = [system.login(f"user{10 + n % 20}", rhost=f"r{n % 9}") for n in range(60)]
    assert len({login.code for login in logins}) == len({login.id for login in logins}) == 60
    assert all(re.fullmatch(r"\d{6}", login.code) and re.fullmatch("[0-9a-f]{32}", login.id) for login in logins)


def test_a_note_is_bounded_and_kept_as_it_is(system):
    """Who shows it makes it safe; in the ledger and in the log it is one line of ASCII (attack B18)."""
    login, bob = system.login(service="two", tty="\x1b]0;x\x07"), system.client("bob")
    assert refused(bob.approve, login, note="n" * 501) == bus.INVALID_ARGS
    assert refused(bob.deny, login, "n" * 501) == bus.INVALID_ARGS
    note = 'a\x1b[2Jb\u202ec\nd\\"<b>&'
    bob.deny(login, note)
    verdict, details = login.verdict()
    assert (verdict, details["note"]) == ("denied", note)
    assert login.entries()[0]["tty"] == "\x1b]0;x\x07" and login.entries()[-1]["note"] == note
    assert all(body.isascii() and body.isprintable() and "<" not in body for body in system.bodies())
    assert all(line.isascii() and line.isprintable() for line in system.broker.output().splitlines())


@pytest.mark.parametrize(("ended", "expected"), [
    ("approved", "AlreadyDecided"), ("denied", "AlreadyDecided"), ("expired", "Expired"), ("cancelled", "AlreadyDecided"),
])  # fmt: skip
def test_nothing_changes_after_the_end(system, ended, expected):
    """Attack B9, one after the other; with the right code, with a wrong one, and for a denial."""
    login = system.login(time_left=300_000 if ended == "expired" else 0)
    if ended == "approved":
        system.client("carol").approve(login)
    elif ended == "denied":
        system.client("carol").deny(login)
    elif ended == "cancelled":
        login.client.call(bus.REQUESTER, "CancelRequest", "s", login.id)
    assert login.verdict()[0] == ended
    kinds = login.kinds()
    bob = system.client("bob")
    assert refused(bob.approve, login) == ERROR + expected
    assert refused(bob.approve, login, code=other_code(login.code)) == ERROR + expected
    assert refused(bob.deny, login) == ERROR + expected
    assert bob.get(login)["state"] == ended
    assert login.kinds() == kinds and kinds.count("decision") + kinds.count("expired") + kinds.count("cancelled") == 1
    assert refused(login.client.call, bus.REQUESTER, "WaitDecision", "s", login.id) == ERROR + "NoSuchRequest"


def test_the_same_person_approves_twice(system):
    login, bob = system.login(service="two"), system.client("bob")
    bob.approve(login)
    assert refused(bob.approve, login) == ERROR + "AlreadyDecided"
    assert login.kinds() == ["request-created", "vote"] and login.verdict(0.1) is None
    assert system.client("dave").approve(login) == ("approved", 0)


def race(system, first, second):
    """Two calls in the same instant; their outcomes and the kinds of the request's entries, ROUNDS times."""
    requester, bob, carol = system.client("root"), system.client("bob"), system.client("carol")
    logins, answers = [], []
    for n in range(ROUNDS):
        login = system.login(f"user{10 + n % 20}", client=requester, rhost=f"r{n}")
        calls = [(first, bob), (second, carol)]
        sent = [(client, send(client, login)) for send, client in (calls if n % 2 else calls[::-1])]
        got = {client: outcome(client, serial) for client, serial in sent}
        answers.append((got[bob], got[carol], login.verdict()[0]))
        logins.append(login)
    ends = {}
    for entry in system.entries():
        if entry["kind"] in ("decision", "expired", "cancelled"):
            ends.setdefault(entry["request"], []).append(entry["outcome"])
    return answers, [ends[login.id] for login in logins]


def test_two_reviewers_in_the_same_instant(system):
    """Attack B9."""
    answers, ends = race(system, lambda c, l: c.send_approve(l), lambda c, l: c.send_approve(l))
    decided, late = ("approved", 0), ERROR + "AlreadyDecided"
    assert all(sorted(map(str, answer[:2])) == sorted(map(str, (decided, late))) for answer in answers)
    assert ends == [["approved"]] * ROUNDS
    assert {answer[2] for answer in answers} == {"approved"}
    assert len({answer[:2] for answer in answers}) == 2, "the same one always wins: no race"


def test_approve_and_deny_in_the_same_instant(system):
    answers, ends = race(system, lambda c, l: c.send_approve(l), lambda c, l: c.send_deny(l))
    late = ERROR + "AlreadyDecided"
    for (approved, denied, verdict), end in zip(answers, ends):
        assert (approved, denied, verdict) in ((("approved", 0), late, "approved"), (late, ("denied", 0), "denied"))
        assert end == [verdict]
    assert {answer[2] for answer in answers} == {"approved", "denied"}


def test_approve_and_leave_in_the_same_instant(system):
    """The requester goes while bob approves: one end, and bob is told which."""
    bob, seen = system.client("bob"), set()
    for n in range(40):
        login = system.login(f"user{10 + n % 20}")
        if n % 2:
            serial = bob.send_approve(login)
            login.client.leave()
        else:
            login.client.sock.close()
            serial = bob.send_approve(login)
            login.client.leave()
        answer = outcome(bob, serial)
        until(lambda login=login: len(login.kinds()) >= 2, what="the end")
        ends = [kind for kind in login.kinds() if kind not in ("request-created", "vote")]
        assert (answer, ends) in ((("approved", 0), ["decision"]), (ERROR + "AlreadyDecided", ["cancelled"]))
        seen.add(ends[0])
    assert seen


def test_approve_at_the_deadline(system):
    """A vote is counted before the deadline and refused after it, never both."""
    bob, seen = system.client("bob"), []
    for n in range(12):
        login = system.login(f"user{10 + n}", time_left=60_000)
        left = login.deadline - bus.boottime() - 0.002 + n * 0.0004
        bob.listen(max(left, 0))
        answer = outcome(bob, bob.send_approve(login))
        verdict = login.verdict()[0]
        assert (answer, verdict) in ((("approved", 0), "approved"), (ERROR + "Expired", "expired"))
        assert len([k for k in login.kinds() if k in ("decision", "expired")]) == 1
        seen.append(verdict)
    assert "expired" in seen


def test_a_vote_that_was_overtaken_by_the_deadline(system):
    """Attack T2, with a broker that does not run, instead of a machine: the vote is older than the deadline."""
    login, bob = system.login(time_left=300_000), system.client("bob")
    system.broker.process.send_signal(signal.SIGSTOP)
    serial = bob.send_approve(login)
    assert bob.message(serial, 0.4) is None and bus.boottime() > login.deadline
    system.broker.process.send_signal(signal.SIGCONT)
    assert outcome(bob, serial) == ERROR + "Expired"
    assert login.verdict()[0] == "expired"
    assert login.kinds() == ["request-created", "expired"]


def trace(system, act):
    """The broker's writes, syncs and sends while act() runs, in their order."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    path = system.folder / "strace"
    strace = subprocess.Popen(
        ["strace", "-f", "-tt", "-s", "5000", "-e", "trace=fsync,fdatasync,pwrite64,write,sendmsg", "-o", path,
         "-p", str(system.broker.pid)], stderr=subprocess.PIPE, text=True)  # fmt: skip
    line = strace.stderr.readline()
    if "attached" not in line:
        strace.wait()
        pytest.skip(f"this machine does not let root trace a process: {line.strip()}")
    act()
    strace.send_signal(signal.SIGINT)
    strace.wait()
    return path.read_text().splitlines()


@pytest.mark.parametrize("how", ["approve", "deny", "expire", "create", "wrong"])
def test_the_entry_is_durable_before_anybody_is_told(system, how):
    """Requirement 1 of flow.h: in the order of system calls, a sync stands between entry and answer."""
    bob = system.client("bob")
    login = system.login(time_left=1_500_000 if how == "expire" else 0)
    acts = {
        "approve": lambda: (bob.approve(login), login.verdict()),
        "deny": lambda: (bob.deny(login), login.verdict()),
        "expire": lambda: login.verdict(5),
        "create": lambda: system.login("mallory"),
        "wrong": lambda: refused(bob.approve, login, code=other_code(login.code)),
    }
    lines = trace(system, acts[how])
    kind = {"approve": "decision", "deny": "decision", "expire": "expired", "create": "request-created",
            "wrong": "wrong-code"}[how]  # fmt: skip
    word = {"approve": "approved", "deny": "denied", "expire": "expired", "create": "pending", "wrong": "CodeMismatch"}[how]
    # The entry's text is in what is written; look-ups for it are sent before, and carry none of the words.
    written = next(n for n, line in enumerate(lines) if f'\\"kind\\":\\"{kind}\\"' in line and "pwrite64" in line)
    told = next(n for n, line in enumerate(lines) if "sendmsg" in line and word in line)
    synced = [n for n, line in enumerate(lines) if re.search(r"f(data)?sync\(.*= 0|f(data)?sync resumed.*= 0", line)]
    assert any(written < n < told for n in synced), "\n".join(lines)
