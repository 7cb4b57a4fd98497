# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose vote counts: sessions as logind really has them (attack B13)."""

import pathlib

import evidence as e
import pytest
import workstation as w

BOB_FROM_ELSEWHERE = "[Rule reviewers-ssh]\nService=sshd\nUser=bob dave\nAction=exempt\n\n"
NOT_ELIGIBLE = e.ERROR + "NotEligible"
NO_SUCH_REQUEST = e.ERROR + "NoSuchRequest"


def one_peer(**keys):
    return e.default_rule(Reviewers="peerauth-reviewers:1", **keys)


@pytest.fixture
def waiting(policy, desk):
    """alice waits for one peer or one administrator; bob and dave are there, carol is not."""
    policy(one_peer())
    desk("bob"), desk("dave")
    return e.half_authenticated(options=["-o", "RemoteCommand=true"])


def hint_locked(person, locked):
    """What a screen locker tells logind; only the session's own user may."""
    path = f"/org/freedesktop/login1/session/_3{person.session[0]}{person.session[1:]}"
    output, status = person.run(f"busctl call org.freedesktop.login1 {path} org.freedesktop.login1.Session "
                                f"SetLockedHint b {'true' if locked else 'false'}")
    assert status == 0, output
    wanted = "yes" if locked else "no"
    w.wait_for("LockedHint", lambda: [s["LockedHint"] for s in w.sessions(person.name)] == [wanted])


def votes(ledger):
    return ledger.entries("vote") + ledger.entries("decision") + ledger.entries("wrong-code")


def test_reviewer_at_the_console_counts(waiting, bob, ledger):
    assert bob.call_approve(waiting.request, waiting.code) == ["approved", 0]
    assert e.ended(waiting) == 0


def test_locked_reviewer_does_not_count(waiting, bob, ledger):
    hint_locked(bob, True)
    try:
        assert bob.call_approve(waiting.request, waiting.code) == NOT_ELIGIBLE
        output, status = bob.approve("alice", waiting.code)
        assert status == e.REFUSED and "The session that this runs in is locked" in output
        assert bob.call("Deny", "ssa{sv}", waiting.request, "", {}) == NOT_ELIGIBLE
        assert not votes(ledger)
    finally:
        hint_locked(bob, False)
    assert bob.call_approve(waiting.request, waiting.code) == ["approved", 0]


def test_locked_reviewers_are_not_counted_as_there(policy, bob, dave):
    policy(one_peer())
    shown = e.half_authenticated()
    assert "Logged in now: 2 of them." in shown.shown
    shown.child.sendintr()
    hint_locked(bob, True)
    hint_locked(dave, True)
    try:
        shown = e.half_authenticated()
        assert "NOBODY of them is logged in now." in shown.shown
        shown.child.sendintr()
    finally:
        hint_locked(bob, False)
        hint_locked(dave, False)


def outside_session(name, request, code):
    """A call by name's uid from no session at all, as a cron job or a hijacked service would make it."""
    answer = w.run("bus-call", "Reviewer", "Approve", "sssa{sv}", f'["{request}", "{code}", "", {{}}]', user=name)
    return answer.stdout


def test_reviewer_who_is_not_logged_in_does_not_count(waiting, ledger):
    assert not w.sessions("carol")
    assert NOT_ELIGIBLE in outside_session("carol", waiting.request, waiting.code)
    assert not votes(ledger)


def test_reviewer_who_logged_out_does_not_count(waiting, desk, ledger):
    carol = e.Person("carol")
    carol.log_out()
    w.wait_for("carol to be gone", lambda: not w.sessions("carol"))
    assert NOT_ELIGIBLE in outside_session("carol", waiting.request, waiting.code)
    assert not votes(ledger)


def test_reviewer_whose_session_is_closing_does_not_count(waiting, ledger):
    """carol has left; a program that she left behind is still in her session's control group."""
    answer = pathlib.Path("/home/carol/answer")
    carol = e.Person("carol")
    call = f'bus-call Reviewer Approve "sssa{{sv}}" \'["{waiting.request}", "{waiting.code}", "", {{}}]\''
    carol.run(f"setsid sh -c 'while [ ! -e {answer}.go ]; do sleep 0.1; done; exec \"$@\"' - {call} >{answer} 2>&1 & true")
    carol.terminal.send("exit")
    carol.terminal.expect(e.pexpect.EOF)
    w.wait_for("closing", lambda: [s["State"] for s in w.sessions("carol")] == ["closing"])
    pathlib.Path(f"{answer}.go").touch()
    w.wait_for("answer", answer.read_text)
    assert NOT_ELIGIBLE in answer.read_text()
    assert not votes(ledger)
    w.wait_for("end of the session", lambda: not w.sessions("carol"))


def test_lingering_reviewer_does_not_count(waiting, ledger):
    w.run("loginctl", "enable-linger", "carol")
    try:
        w.wait_for("carol's services", lambda: w.run("systemctl", "is-active", "user@*.service", check=False).stdout)
        asked = w.run("systemd-run", "--user", "--machine=carol@.host", "--quiet", "--pipe", "--wait", "bus-call",
                      "Reviewer", "Approve", "sssa{sv}", f'["{waiting.request}", "{waiting.code}", "", {{}}]')
        assert NOT_ELIGIBLE in asked.stdout
        assert not w.sessions("carol") and not votes(ledger)
    finally:
        w.run("loginctl", "disable-linger", "carol")


def test_account_without_a_role_sees_nothing(waiting, policy, desk, ledger):
    policy(BOB_FROM_ELSEWHERE.replace("bob dave", "erin") + one_peer())
    erin = e.Person("erin", w.ssh("erin"))
    assert erin.list() == []
    assert erin.call_approve(waiting.request, waiting.code) == NO_SUCH_REQUEST
    assert erin.call("Deny", "ssa{sv}", waiting.request, "", {}) == NO_SUCH_REQUEST
    assert erin.call("GetRequest", "s", waiting.request) == NO_SUCH_REQUEST
    assert erin.approve(waiting.request, waiting.code)[1] == e.GONE
    assert not votes(ledger)
    erin.log_out()


@pytest.fixture
def remote(policy, desk):
    """Somebody whose only session is over ssh."""
    people = []

    def person(name, **keys):
        policy(BOB_FROM_ELSEWHERE + one_peer(**keys))
        if w.sessions(name):
            desk(name).log_out()
        people.append(e.Person(name, w.ssh(name)))
        assert [s["Remote"] for s in w.sessions(name)] == ["yes"]
        return people[-1]

    yield person
    for each in people:
        each.log_out()


def test_remote_peer_does_not_count_as_shipped(remote, ledger):
    bob = remote("bob")
    alice = e.half_authenticated()
    assert [request["user"] for request in bob.list()] == ["alice"], "he may know, and call somebody"
    assert bob.call_approve(alice.request, alice.code) == NOT_ELIGIBLE
    output, status = bob.approve("alice", alice.code)
    assert status == e.REFUSED and "RemoteReviewers=no" in output
    assert not votes(ledger)


def test_remote_peer_counts_if_the_rule_says_so(remote, ledger):
    bob = remote("bob", RemoteReviewers="yes")
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    assert bob.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0
    assert [vote["session"] for vote in ledger.entries("vote")] == ["remote"]


def test_remote_administrator_counts(remote, ledger):
    """The way out on a morning when nobody is in the building yet."""
    dave = remote("dave")
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    assert "Logged in now: 1 of them." in alice.shown
    assert dave.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0
    assert [(vote["role"], vote["session"]) for vote in ledger.entries("vote")] == [("admin", "remote")]


def test_own_other_name_cannot_approve(policy, desk, ledger):
    """Attacks A7, B10: an alias is the same person, and one canonical name is recorded."""
    policy("[Rule alias]\nService=login\nUser=alice\nAction=exempt\n\n" + one_peer())
    uid = w.run("id", "-u", "alice").stdout.strip()
    w.run("useradd", "--non-unique", "--uid", uid, "--gid", "alice", "--home-dir", "/home/alice", "--no-create-home",
          "--shell", "/bin/bash", "--groups", "peerauth-reviewers", "ally")
    w.run("chpasswd", stdin=f"ally:{w.PASSWORD}\n")
    waiting = e.half_authenticated("ally")
    assert [request["user"] for request in w.pending()] == ["alice"]
    alice = e.Person("alice")
    assert alice.call_approve(waiting.request, waiting.code) == e.ERROR + "SelfReview"
    assert not votes(ledger)
    alice.log_out()
    waiting.hang_up()
    w.run("userdel", "--force", "ally", check=False)
