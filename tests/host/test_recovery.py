# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nobody is there: recovery codes and one-time passwords at real prompts."""

import base64
import hmac
import json
import re
import time

import evidence as e
import pytest
import workstation as w


@pytest.fixture
def nobody(policy):
    """Nobody who could approve is logged in, and the rule holds only whom a way of recovery can help."""
    policy("[Rule default]\nAction=require\nReviewers=peerauth-reviewers:2\nWhenNobody=recovery-only\n")
    for name in ("bob", "carol", "dave"):
        for session in w.sessions(name):
            w.run("loginctl", "terminate-session", session["Id"])
        w.wait_for(f"{name} gone", lambda: not w.sessions(name))


@pytest.fixture
def codes(nobody):
    """alice's recovery codes, as root prints them."""
    answer = w.run("peerauthctl", "recovery", "generate", "--user", "alice", "--yes", "--json=short")
    found = re.findall(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}", answer.stdout)
    assert len(found) == 10, json.loads(answer.stdout)
    yield found
    w.run("peerauthctl", "recovery", "remove", "--user", "alice", "--yes")


def ssh_prompt(options=()):
    terminal = w.ssh("alice", options=options)
    terminal.read_code()
    terminal.expect(r"type a recovery code\)\. ")
    return terminal


def one_time_password(secret, moment):
    """RFC 6238, from its text."""
    digest = hmac.digest(base64.b32decode(secret), int(moment // 30).to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start:start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def test_a_recovery_code_over_ssh(codes, ledger, journal):
    alice = ssh_prompt(options=["-o", "RemoteCommand=id -un"])
    alice.send(codes[0])
    assert e.ended(alice) == 0 and "\nalice\n" in e.screen(alice)
    assert "Approved by a recovery code." in e.screen(alice)
    assert ledger.kinds() == ["request-created", "recovery", "decision"]
    assert ledger.entries("decision")[0]["by"] == ["a recovery code"]
    journal.wait("review this login")
    assert not journal.find(codes[0]) and not journal.find(codes[0].replace("-", ""))


def test_a_used_code_and_a_wrong_one(codes, ledger):
    first = ssh_prompt(options=["-o", "RemoteCommand=true"])
    first.send(codes[0])
    assert e.ended(first) == 0
    again = ssh_prompt(options=["-o", "RemoteCommand=true"])
    again.send(codes[0])
    again.expect("wrong, or was used before")
    again.expect(r"\. $|: $")
    again.send(codes[1])
    assert e.ended(again) == 0
    assert ledger.kinds().count("recovery") == 2 and ledger.kinds().count("recovery-wrong") == 1


def test_three_wrong_codes_end_it(codes, ledger):
    alice = ssh_prompt()
    for _ in range(3):
        alice.send("0000-0000-0000-0000")
        if alice.child.expect([r"type a recovery code\)\. $", r"[:.] $", w.pexpect.EOF], timeout=20) == 2:
            break
    w.wait_for("decision", lambda: ledger.entries("decision"))
    assert ledger.entries("decision")[0]["outcome"] == "denied"
    alice.hang_up()


def test_a_recovery_code_at_the_console(codes, ledger):
    alice = w.login("alice")
    alice.read_code()
    alice.expect("Recovery code, or Enter to wait: ")
    alice.send(codes[2].lower())
    alice.expect(re.escape("alice$ "))
    assert ledger.kinds() == ["request-created", "recovery", "decision"]
    alice.hang_up()


def test_the_password_typed_by_reflex_is_not_sent(codes, ledger):
    alice = w.login("alice")
    alice.read_code()
    alice.expect("Recovery code, or Enter to wait: ")
    alice.send(w.PASSWORD)
    e.pause(1.0)
    assert ledger.kinds() == ["request-created"]
    alice.hang_up()
    ledger.wait("cancelled")


def test_without_codes_it_is_denied_at_once(nobody, ledger):
    alice = w.ssh("alice")
    assert e.ended(alice) == e.SSH_FAILED
    assert "no recovery codes" in e.screen(alice)
    assert ledger.kinds() == ["refused"]


def test_one_time_passwords(nobody, ledger):
    root = w.Terminal("/usr/bin/peerauthctl", ["totp", "enroll", "--user", "alice"])
    shown = root.expect(r"(?i)password[^\r\n]*: ?$")
    secret = re.search(r"((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})", shown).group(1).replace(" ", "")
    root.send(one_time_password(secret, time.time() - 30))
    assert e.ended(root) == 0, e.screen(root)
    try:
        alice = ssh_prompt(options=["-o", "RemoteCommand=true"])
        alice.send(one_time_password(secret, time.time()))
        assert e.ended(alice) == 0
        assert ledger.entries("decision")[0]["by"] == ["a one-time password"]
    finally:
        w.run("peerauthctl", "totp", "remove", "--user", "alice", "--yes", check=False)
