# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logins over a real sshd: approved, denied, expired, given up, and attacked."""

import time

import evidence as e
import pytest
import workstation as w


def decision(ledger):
    entries = ledger.entries("decision")
    assert len(entries) == 1, ledger.kinds()
    return entries[0]


# ---- decided ----


def test_administrator_approves(ledger, journal, dave):
    alice = e.half_authenticated(options=["-o", "RemoteCommand=id -un; exit 7"])
    assert dave.approve("alice", alice.code, note="called back")[1] == 0
    assert e.ended(alice) == 7, "the login's own exit status"
    assert "Approved by dave." in e.screen(alice) and "\nalice\n" in e.screen(alice)
    assert ledger.kinds() == ["request-created", "vote", "decision"]
    created, vote, end = ledger.entries()
    assert (created["user"], created["service"], created["rhost"]) == ("alice", "sshd", "127.0.0.1")
    assert (vote["by"], vote["person"], vote["role"], vote["session"]) == ("dave", "dave", "admin", "local")
    assert (end["outcome"], end["by"], end["note"]) == ("approved", ["dave"], "called back")
    assert {entry["request"] for entry in (created, vote, end)} == {alice.request}
    journal.wait("Accepted keyboard-interactive/pam for alice")


def test_two_peers_approve_and_one_is_not_enough(ledger, bob, carol):
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    assert bob.approve("alice", alice.code)[1] == 0
    assert bob.call_approve(alice.request, alice.code) == e.ERROR + "AlreadyDecided", "nobody votes twice"
    assert [request["approvals"] for request in w.pending()] == [1]
    e.pause(0.5)
    assert alice.child.isalive() and ledger.kinds() == ["request-created", "vote"]
    assert carol.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0
    assert decision(ledger)["by"] == ["bob", "carol"]


def test_denial_shows_its_note(ledger, journal, bob):
    alice = e.half_authenticated()
    assert bob.deny("alice", note="The lab is closed today.")[1] == 0
    assert e.ended(alice) == e.SSH_FAILED
    assert "Denied by bob.\nNote: The lab is closed today." in e.screen(alice)
    assert journal.module() == "Denied by bob. A reviewer denied it."
    assert (decision(ledger)["outcome"], decision(ledger)["by"]) == ("denied", ["bob"])


def test_decided_request_stays_decided(ledger, bob, dave):
    alice = e.half_authenticated()
    assert bob.deny("alice")[1] == 0
    assert dave.approve(alice.request, alice.code)[1] == e.GONE
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "AlreadyDecided"
    assert e.ended(alice) == e.SSH_FAILED
    assert decision(ledger)["outcome"] == "denied"


def test_wrong_code_then_the_right_one(ledger, dave):
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    output, status = dave.approve("alice", e.another(alice.code))
    assert status == e.REFUSED and "not the code of this request" in output
    assert dave.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0
    assert ledger.kinds() == ["request-created", "wrong-code", "vote", "decision"]


def test_three_wrong_codes_end_the_login(ledger, journal, dave):
    """Attack C3; the right code comes too late."""
    alice = e.half_authenticated()
    for _ in range(3):
        assert dave.call_approve(alice.request, e.another(alice.code)) == e.ERROR + "CodeMismatch"
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "AlreadyDecided"
    assert e.ended(alice) == e.SSH_FAILED
    assert journal.module().startswith("Denied")
    assert [entry["wrong_codes"] for entry in ledger.entries("wrong-code")] == [1, 2, 3]
    assert decision(ledger)["outcome"] == "denied" and not ledger.entries("vote")


def test_code_of_another_request_is_wrong_here_and_stays_good_there(policy, ledger, dave):
    """Attack C2: an attacker logs in beside the victim, and the reviewer picks the attacker's request."""
    victim = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    attacker = e.half_authenticated()
    output, status = dave.run("peerauthctl approve alice")
    assert status == 2 and victim.request[:4] in output and attacker.request[:4] in output
    assert dave.approve(attacker.request, victim.code)[1] == e.REFUSED
    assert dave.approve(victim.request, victim.code)[1] == 0
    assert e.ended(victim) == 0
    assert [request["id"] for request in w.pending()] == [attacker.request]
    assert [entry["request"] for entry in ledger.entries("wrong-code")] == [attacker.request]


def test_nobody_answers(policy, ledger, journal, dave):
    policy(e.default_rule(Expires="10s"))
    began = time.monotonic()
    alice = e.half_authenticated()
    assert e.ended(alice, timeout=30) == e.SSH_FAILED
    assert 9 < time.monotonic() - began < 16
    assert "Nobody decided in time." in e.screen(alice)
    assert journal.module().startswith("expired"), "a time-out is no denial"
    assert ledger.kinds() == ["request-created", "expired"]
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "Expired"
    assert dave.approve("alice", alice.code)[1] == e.GONE
    assert ledger.kinds() == ["request-created", "expired"]


# ---- the person goes away (attacks A5, A14) ----


def ctrl_c(terminal):
    terminal.child.sendintr()


def kill_client(terminal):
    terminal.child.kill(9)


def end_of_input(terminal):
    terminal.child.sendeof()


@pytest.mark.parametrize("enter", [False, True], ids=["at the prompt", "after Enter"])
@pytest.mark.parametrize("go", [ctrl_c, kill_client])
def test_person_goes_away(ledger, dave, go, enter):
    alice = e.half_authenticated(enter=enter)
    if enter:
        e.pause(0.3)  # so that the module is waiting, not about to
    moment = time.time()
    go(alice)
    assert e.seconds_after(ledger.wait("cancelled"), moment) < e.WITHIN
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "AlreadyDecided"
    assert dave.approve("alice", alice.code)[1] == e.GONE
    assert ledger.kinds() == ["request-created", "cancelled"]
    assert e.ended(alice) != 0


def test_grace_time_of_sshd_runs_out(sshd_settings, ledger, dave):
    """The module was not told of the short limit, so sshd ends the login under it."""
    sshd_settings("LoginGraceTime 6")
    began = time.time()
    alice = e.half_authenticated()
    assert e.seconds_after(ledger.wait("cancelled"), began) < 6 + e.WITHIN
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "AlreadyDecided"
    assert e.ended(alice) == e.SSH_FAILED
    assert ledger.kinds() == ["request-created", "cancelled"]


def test_wait_is_cut_to_the_grace_time_that_the_module_knows(sshd_settings, module_arguments, ledger, journal):
    sshd_settings("LoginGraceTime 16")
    module_arguments("grace=16")
    began = time.monotonic()
    alice = e.half_authenticated()
    assert e.ended(alice, timeout=30) == e.SSH_FAILED
    assert time.monotonic() - began < 15, "before sshd would have ended it without a word"
    assert "Nobody decided in" in e.screen(alice)
    assert journal.module().startswith("expired")
    assert ledger.kinds()[-1] in ("expired", "cancelled")


# ---- what never reaches a reviewer (attacks A7, A12) ----


@pytest.mark.parametrize("name", ["nobody-here", "ALICE", "a" * 300, "alice ", "alice\u202e"], ids=ascii)
def test_unknown_names_reach_no_reviewer(ledger, dave, name):
    terminal = w.ssh(name)
    assert e.ended(terminal) == e.SSH_FAILED
    assert ledger.kinds() == [] and dave.list() == []


def test_wrong_password_reaches_no_reviewer(ledger, journal):
    """Attack A12: the stack asks for the password first."""
    alice = w.ssh("alice", password="wrong")
    assert e.ended(alice) == e.SSH_FAILED
    journal.wait(f"PAM: {e.AUTH_ERR} for alice from 127.0.0.1")
    assert ledger.kinds() == [] and not journal.find("pam_peerauth")


# ---- other ways into sshd ----


def test_password_method_cannot_wait(sshd_settings, module_arguments, ledger, journal):
    """It would answer the prompt unseen; the module refuses at once instead of waiting for nobody."""
    module_arguments("grace=0")
    sshd_settings("PasswordAuthentication yes")
    began = time.monotonic()
    terminal = w.Terminal("/usr/bin/ssh", ["-p", str(w.SSH_PORT), "-o", "StrictHostKeyChecking=no",
                                           "-o", "UserKnownHostsFile=/dev/null", "-o", "NumberOfPasswordPrompts=1",
                                           "-o", "PreferredAuthentications=password", "alice@127.0.0.1"])
    terminal.expect("password: ")
    terminal.send(w.PASSWORD)
    assert e.ended(terminal) == e.SSH_FAILED
    assert time.monotonic() - began < 10
    assert ledger.kinds() == ["request-created", "cancelled"]
    assert journal.module().startswith("cancelled")


def test_key_and_approval_together(sshd_settings, ledger, dave, tmp_path):
    """Attack A13: with the line that the shipped sample shows, a stolen key alone is not enough."""
    sshd_settings("AuthenticationMethods publickey,keyboard-interactive:pam")
    key = tmp_path / "key"
    w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    w.run("install", "-D", "-m", "0600", "-o", "alice", "-g", "alice", f"{key}.pub", "/home/alice/.ssh/authorized_keys")
    options = ["-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "RemoteCommand=true"]
    alone = w.run("ssh", "-p", str(w.SSH_PORT), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                  "-o", "BatchMode=yes", *options, "alice@127.0.0.1", check=False)
    assert alone.returncode == e.SSH_FAILED and ledger.kinds() == []
    alice = e.half_authenticated(options=options)
    assert dave.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0
    assert decision(ledger)["outcome"] == "approved"


def test_fifth_login_of_one_account_is_turned_away(ledger, journal, dave):
    """One stolen password must not fill the list of what waits."""
    waiting = [e.half_authenticated(options=["-o", "RemoteCommand=true"]) for _ in range(4)]
    fifth = w.ssh("alice")
    assert e.ended(fifth) == e.SSH_FAILED
    assert "Too many" in e.screen(fifth)
    assert "Too many logins of this account" in journal.module()
    assert len(ledger.entries("request-created")) == 4
    assert dave.approve(waiting[0].request, waiting[0].code)[1] == 0, "those that wait are served"
    assert e.ended(waiting[0]) == 0
