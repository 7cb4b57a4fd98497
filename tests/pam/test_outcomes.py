# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every outcome by its exact PAM code, through pam_wrapper and the real broker."""

import re

import pytest
from peerauth_bus import BusError

import support
from support import PAM_AUTH_ERR, PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS, TEXT_INFO, gone, pending


def test_approved(host, broker):
    reviewer = broker.client("bob")
    attempt = host.start(wrapped=True)
    code = attempt.code()
    assert reviewer.approve(pending(reviewer)["id"], code=code, note="seen at the desk") == ("approved", 0)
    assert attempt.result() == PAM_SUCCESS
    assert attempt.texts()[-1] == "Approved by bob.\nNote: seen at the desk"


def test_denied(host, broker):
    reviewer = broker.client("bob")
    attempt = host.start(wrapped=True)
    attempt.code()
    reviewer.deny(pending(reviewer)["id"], "not her")
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.texts()[-1] == "Denied by bob.\nNote: not her"


def test_expired(host, broker):
    attempt = host.start(service="short", wrapped=True)
    attempt.code()
    assert attempt.result(15) == PAM_AUTH_ERR
    assert 9 < attempt.seconds < 12
    assert attempt.texts()[-1].startswith("Nobody decided in time.")


def test_exempt(host, broker):
    attempt = host.direct(service="exempt", wrapped=True)
    assert attempt.result() == PAM_IGNORE
    assert attempt.texts() == []


def test_forbidden_by_rule(host, broker):
    attempt = host.start(service="forbidden", wrapped=True)
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.texts()[0].startswith("This login is not allowed.\nA rule of this machine's policy")


def test_third_wrong_code(host, broker):
    reviewer = broker.client("bob")
    attempt = host.start(wrapped=True)
    wrong = str((int(attempt.code()) + 1) % 1000000).zfill(6)
    ident = pending(reviewer)["id"]
    for _ in range(3):
        with pytest.raises(BusError, match="CodeMismatch"):
            reviewer.approve(ident, code=wrong)
    assert attempt.result() == PAM_PERM_DENIED


def test_one_of_two_approvals_is_not_enough(host, broker):
    reviewer = broker.client("bob")
    attempt = host.start(service="two", wrapped=True)
    code = attempt.code()
    ident = pending(reviewer)["id"]
    assert reviewer.approve(ident, code=code) == ("pending", 1)
    broker.broker.process.kill()
    assert attempt.result() == support.PAM_AUTHINFO_UNAVAIL


def test_message_with_the_code(host, broker):
    """Shown once, as one message, in 40 columns, with who can decide and how long there is."""
    attempt = host.start("--user=alice", service="short")
    code = attempt.code()
    [line] = attempt.lines
    assert line["message"] == TEXT_INFO
    assert line["text"].splitlines() == [
        f"Code {code[:3]} {code[3:]}: tell it to a colleague.",
        "Needed: 1 of peerauth-reviewers.",
        "Logged in now: 3 of them.",
        "Valid 10 s.",
    ]
    attempt.result()
    grouped = f"{code[:3]} {code[3:]}"
    assert sum(grouped in text or code in text for text in attempt.texts()) == 1
    assert all(len(row) <= 45 for text in attempt.texts() for row in text.splitlines())


def test_message_when_nobody_is_there(host, broker):
    for session in broker.SESSIONS:
        broker.logind.remove(session)
    attempt = host.start(service="short")
    attempt.code()
    rows = attempt.texts()[0].splitlines()
    assert rows[2] == "NOBODY of them is logged in now."
    assert rows[3:5] == ["Ask one to log in, or call an", "administrator."]


@pytest.mark.parametrize(
    "create, rows",
    [
        ("pending", ["Logged in now: 1 of them."]),
        ("enough", ["Logged in now: 1 of them."]),
        ("too-few", ["Logged in now: 1 of them,", "which is not enough."]),
    ],
)
def test_message_says_whether_those_are_enough(host, peer, create, rows):
    """A broker that does not say so is believed to have enough."""
    peer(create, "denied")
    attempt = host.start()
    attempt.result()
    shown = attempt.texts()[0].splitlines()
    assert shown[2:-1] == rows
    assert all(len(row) <= 40 for row in shown)


@pytest.mark.parametrize("service", ["sshd", "login", "one"])
def test_longest_message_fits(host, peer, service):
    """Linux-PAM's PAM_MAX_MSG_SIZE, and the last words must not be the ones that are cut."""
    peer("longest", "denied")
    attempt = host.direct(service=service)
    attempt.result()
    text = attempt.texts()[0]
    assert len(text.encode()) < 512
    assert text.endswith("Press Enter, then wait. " if service == "sshd" else "Valid 1 min.")


def test_prompt_under_sshd(host, broker):
    """One prompt whose answer is ignored; no countdown."""
    reviewer = broker.client("bob")
    attempt = host.start("--answer=approved", service="sshd")
    code = attempt.code()
    assert attempt.lines[0]["message"] == support.PROMPT_ECHO_ON
    assert attempt.lines[0]["text"].endswith("Press Enter, then wait. ")
    reviewer.approve(pending(reviewer)["id"], code=code)
    assert attempt.result() == PAM_SUCCESS
    assert len(attempt.texts()) == 2


def test_countdown_on_a_terminal(host, broker):
    """sudo gets a line at 60, 30 and 10 s left; greeters replace messages, so they get none."""
    for service in ("sudo", "gdm-password"):
        host.stack("auth required MODULE timeout=36", service=service)  # and the request has 33 s
    terminal, greeter = host.start(service="sudo"), host.start(service="gdm-password")
    assert terminal.result(40) == PAM_AUTH_ERR
    assert greeter.result(40) == PAM_AUTH_ERR
    left = [re.search(r"(\d+) s left", text) for text in terminal.texts()]
    assert [found.group(1) for found in left if found] == ["30", "10"]
    assert len(greeter.texts()) == 2


def test_killed_front_end_takes_the_request_back(host, broker):
    reviewer = broker.client("bob")
    attempt = host.start()
    code = attempt.code()
    ident = pending(reviewer)["id"]
    attempt.process.kill()
    gone(reviewer)
    support.not_approvable(reviewer, ident, code)


def test_setcred_grants_nothing(host, broker):
    """Before and after an approval (attack A8)."""
    reviewer = broker.client("bob")
    attempt = host.direct("--call=setcred,auth,setcred")
    code = attempt.code()
    reviewer.approve(pending(reviewer)["id"], code=code)
    assert attempt.result() == PAM_IGNORE
    assert attempt.returned() == [("setcred", PAM_IGNORE), ("auth", PAM_SUCCESS), ("setcred", PAM_IGNORE)]


def test_the_same_handle_asks_again(host, broker):
    """Authenticated twice, it makes two requests, with two codes (attack A8)."""
    reviewer = broker.client("bob")
    attempt = host.start("--call=auth,auth")
    first = attempt.code()
    reviewer.approve(pending(reviewer)["id"], code=first)
    attempt.until("call")
    attempt.code()
    reviewer.deny(pending(reviewer)["id"], "no")
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.returned() == [("auth", PAM_SUCCESS), ("auth", PAM_PERM_DENIED)]
