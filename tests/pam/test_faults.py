# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of the C library fails in turn (attack A1): no failure turns into an approval."""

import signal

import pytest

import support
from support import PAM_IGNORE, PAM_SUCCESS

pytestmark = pytest.mark.skipif(support.SANITIZED, reason="the sanitizer has an allocator of its own")
MOST = 3000  # more calls than one attempt makes


def run(host, *more, **keywords):
    return run_all(host, *more, **keywords)[1:]


def run_all(host, *more, **keywords):
    """The attempt, its results by the number of the call that failed, and that of the first without a fault."""
    words = [f"--arg=bus={host.address}", f"--direct={support.MODULE}"]
    words += ["--first-fault=1", f"--last-fault={MOST}", *more]
    attempt = host.start(*words, preload=support.FAULTS, **keywords)
    results = {}
    while True:
        line = attempt.until("fault", 60)
        if not line["hit"]:
            assert results, attempt.log
            assert len(results) == line["fault"] - 1, "some attempts are missing"
            return attempt, results, line["result"]
        results[line["fault"]] = line


def expect_no(results, *codes):
    bad = [line for line in results.values() if line.get("result") in codes]
    assert bad == []
    # libsystemd ends the process when a clock that cannot fail does; nothing else may end it.
    assert {line["signal"] for line in results.values() if "signal" in line} <= {signal.SIGABRT}
    # Not everything failed: some calls have a second chance, or do not matter.
    assert len(results) > 100


@pytest.mark.parametrize("wait", ["denied", "expired", "variant"])
def test_denial_stays_denial(host, peer, wait):
    peer("pending", wait)
    results, last = run(host)
    assert last not in (PAM_SUCCESS, PAM_IGNORE)
    expect_no(results, PAM_SUCCESS, PAM_IGNORE)


def test_approval_never_becomes_an_exemption(host, peer):
    peer("pending", "approved")
    results, last = run(host)
    assert last == PAM_SUCCESS
    expect_no(results, PAM_IGNORE)


def test_exemption_never_becomes_an_approval(host, peer):
    peer("exempt", "approved")
    results, last = run(host)
    assert last == PAM_IGNORE
    expect_no(results, PAM_SUCCESS)


@pytest.mark.parametrize(
    "service, last_result",
    [("forbidden", support.PAM_PERM_DENIED), ("exempt", PAM_IGNORE)],
)
def test_with_the_real_broker(host, broker, service, last_result):
    results, last = run(host, service=service)
    assert last == last_result
    expect_no(results, PAM_SUCCESS, *([PAM_IGNORE] if last_result != PAM_IGNORE else []))


@pytest.mark.parametrize(
    "create, last_result", [("exempt/denied", support.PAM_PERM_DENIED), ("denied/exempt", PAM_IGNORE)]
)
def test_account_stage_alone(host, peer, create, last_result):
    peer(create, "approved")
    results, last = run(host, "--call=account", service="sshd")
    assert last == last_result
    expect_no(results, PAM_SUCCESS, *([PAM_IGNORE] if last_result != PAM_IGNORE else []))


@pytest.mark.parametrize(
    "create, code, other",
    [("pending/denied", PAM_SUCCESS, PAM_IGNORE), ("exempt/denied", PAM_IGNORE, PAM_SUCCESS)],
)
def test_account_stage_never_says_more_than_the_authentication(host, peer, create, code, other):
    """A fault in the first call is followed by the second as if a stack had gone on after it."""
    peer(create, "approved")
    attempt, results, last = run_all(host, "--call=auth,account", service="sudo-like")
    assert last == code
    expect_no(results, other)
    pairs = [(line["call"], line["code"]) for line in attempt.lines if "call" in line]
    for (word, first), (next_word, second) in zip(pairs, pairs[1:]):
        if (word, next_word) == ("auth", "account") and second == code:
            assert first == code


def test_approval_serves_once(host, peer):
    """No fault leaves it behind for another account stage."""
    peer("pending/denied", "approved")
    results, last = run(host, "--call=auth,account,account")
    assert last == support.PAM_PERM_DENIED
    expect_no(results, PAM_SUCCESS, PAM_IGNORE)


def test_reason(host, peer):
    """Faults on the way to the second call, and in it."""
    peer("ask,pending", "denied")
    results, last = run(host, "--answer=because", service="sudo")
    assert last == support.PAM_PERM_DENIED
    expect_no(results, PAM_SUCCESS, PAM_IGNORE)


@pytest.mark.parametrize(
    "redeem, code, others",
    [
        ("wrong>denied", support.PAM_PERM_DENIED, [PAM_SUCCESS, PAM_IGNORE]),
        ("ok>denied", support.PAM_PERM_DENIED, [PAM_SUCCESS, PAM_IGNORE]),
        ("ok>recovered", PAM_SUCCESS, [PAM_IGNORE]),
    ],
)
def test_recovery(host, peer, redeem, code, others):
    """Faults while a code is asked for, read, sent and answered."""
    peer("recovery-soon", "hold", "ok", redeem)
    results, last = run(host, "--answer=8K3V-0QWX-7N2P-ABCD", service="sudo")
    assert last == code
    expect_no(results, *others)


def test_recovery_and_the_password(host, peer):
    """A password that looks like a code is never sent, whatever fails."""
    owner = peer("recovery-soon", "late=0.01,denied", "ok", "ok>recovered")
    run(host, "--call=authtok=735129,auth", "--answer=735129", service="sudo")
    assert "Redeem" not in support.calls(owner)


@pytest.mark.parametrize("word", ["open", "close"])
def test_session_hooks_stay_out_of_the_way(host, peer, word):
    peer("denied", "denied")
    results, last = run(host, f"--call=env=XDG_SESSION_ID=c1,{word}")
    assert last == PAM_IGNORE
    others = [line for line in results.values() if line.get("result", PAM_IGNORE) != PAM_IGNORE]
    assert others == []
    assert len(results) > 50


def test_connection_of_the_login_is_looked_for(host, peer):
    """The calls that look for a remote login's connection fail too."""
    peer("pending", "denied")
    results, last = run(host, "--rhost=127.0.0.1", "--catch", service="sshd")
    assert last == support.PAM_PERM_DENIED
    expect_no(results, PAM_SUCCESS, PAM_IGNORE)
