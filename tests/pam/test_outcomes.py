# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every outcome by its exact PAM code, through pam_wrapper and the real broker."""

import re

import support
from support import PAM_AUTH_ERR, PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS, TEXT_INFO


def test_approved(host, broker):
    reviewer = broker.reviewer()
    attempt = host.start(wrapped=True)
    code = attempt.code()
    answer = reviewer.ask("approve", reviewer.request()["id"], code, "seen", "at", "the", "desk")
    assert answer == {"state": "approved", "missing": 0}
    assert attempt.result() == PAM_SUCCESS
    assert attempt.texts()[-1] == "Approved by daemon.\nNote: seen at the desk"


def test_denied(host, broker):
    reviewer = broker.reviewer()
    attempt = host.start(wrapped=True)
    attempt.code()
    reviewer.ask("deny", reviewer.request()["id"], "not", "her")
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.texts()[-1] == "Denied by daemon.\nNote: not her"


def test_expired(host, broker):
    attempt = host.start(service="peerauth-short", wrapped=True)
    attempt.code()
    assert attempt.result(15) == PAM_AUTH_ERR
    assert 9 < attempt.seconds < 12
    assert attempt.texts()[-1].startswith("Nobody decided in time.")


def test_exempt(host, broker):
    attempt = host.direct(service="peerauth-exempt", wrapped=True)
    assert attempt.result() == PAM_IGNORE
    assert attempt.texts() == []


def test_forbidden_by_rule(host, broker):
    attempt = host.start(service="peerauth-forbidden", wrapped=True)
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.texts()[0].startswith("This login is not allowed.\nA rule of this machine's policy")


def test_third_wrong_code(host, broker):
    reviewer = broker.reviewer()
    attempt = host.start(wrapped=True)
    wrong = str((int(attempt.code()) + 1) % 1000000).zfill(6)
    ident = reviewer.request()["id"]
    errors = [reviewer.ask("approve", ident, wrong)["error"] for _ in range(3)]
    assert errors[0] == "org.peerauth.PeerAuth1.Error.CodeMismatch"
    assert attempt.result() == PAM_PERM_DENIED


def test_one_of_two_approvals_is_not_enough(host, broker):
    reviewer = broker.reviewer()
    attempt = host.start(service="peerauth-two", wrapped=True)
    code = attempt.code()
    ident = reviewer.request()["id"]
    assert reviewer.ask("approve", ident, code) == {"state": "pending", "missing": 1}
    broker.process.kill()
    assert attempt.result() == support.PAM_AUTHINFO_UNAVAIL


def test_message_with_the_code(host, broker):
    """Shown once, as one message, in 40 columns, with who can decide and how long there is."""
    attempt = host.start(service="peerauth-short")
    code = attempt.code()
    [line] = attempt.lines
    assert line["message"] == TEXT_INFO
    assert line["text"].splitlines() == [
        f"Code {code[:3]} {code[3:]}: tell it to a colleague.",
        "Needed: 1 of daemon.",
        "Logged in now: 1 of them.",
        "Valid 10 s.",
    ]
    attempt.result()
    grouped = f"{code[:3]} {code[3:]}"
    assert sum(grouped in text or code in text for text in attempt.texts()) == 1
    assert all(len(row) <= 45 for text in attempt.texts() for row in text.splitlines())


def test_message_when_nobody_is_there(host, broker):
    support.end(broker.logind)
    attempt = host.start(service="peerauth-short")
    attempt.code()
    assert "NOBODY of them is logged in now.\nAsk one to log in, or call an\nadministrator." in attempt.texts()[0]


def test_prompt_under_sshd(host, broker):
    """One prompt whose answer is ignored; no countdown."""
    reviewer = broker.reviewer()
    attempt = host.start("--answer=approved", service="sshd")
    code = attempt.code()
    assert attempt.lines[0]["message"] == support.PROMPT_ECHO_ON
    assert attempt.lines[0]["text"].endswith("Press Enter, then wait. ")
    reviewer.ask("approve", reviewer.request()["id"], code)
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
    reviewer = broker.reviewer()
    attempt = host.start()
    code = attempt.code()
    ident = reviewer.request()["id"]
    attempt.process.kill()
    support.wait_for(lambda: not reviewer.requests(), 2, "the end of the request")
    assert "error" in reviewer.ask("approve", ident, code)


def test_setcred_and_account_without_authentication(host, broker):
    """Nothing is granted by the module's other hooks (attack A8)."""
    assert host.direct("--setcred").result() == PAM_IGNORE
    host.stack("account required MODULE")
    assert host.run("--account") == support.PAM_MODULE_UNKNOWN


def test_an_approval_serves_once(host, broker):
    """The same handle asked twice makes two requests, with two codes (attack A8)."""
    reviewer = broker.reviewer()
    host.stack("auth required MODULE", "account required MODULE", "session required MODULE")
    attempt = host.start("--after")
    first = attempt.code()
    reviewer.ask("approve", reviewer.request()["id"], first)
    after = attempt.until("setcred")
    assert after["setcred"] != PAM_SUCCESS
    assert after["account"] == support.PAM_MODULE_UNKNOWN
    assert after["session"] == support.PAM_MODULE_UNKNOWN
    attempt.code()
    request = reviewer.request()
    reviewer.ask("deny", request["id"], "no")
    assert attempt.result() == PAM_PERM_DENIED
