# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of the C library fails in turn (attack A1): no failure turns into an approval."""

import signal

import pytest

import support
from support import PAM_IGNORE, PAM_SUCCESS

pytestmark = pytest.mark.skipif(support.SANITIZED, reason="the sanitizer has an allocator of its own")
MOST = 3000  # more calls than one attempt makes


def run(host, *more, **keywords):
    """Results by the number of the call that failed, up to the first attempt that met no fault."""
    words = [f"--arg=bus={host.address}", f"--direct={support.MODULE}"]
    words += ["--first-fault=1", f"--last-fault={MOST}", *more]
    attempt = host.start(*words, preload=support.FAULTS, **keywords)
    results = {}
    while True:
        line = attempt.until("fault", 60)
        if not line["hit"]:
            assert results, attempt.log
            assert len(results) == line["fault"] - 1, "some attempts are missing"
            return results, line["result"]
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


def test_connection_of_the_login_is_looked_for(host, peer):
    """The calls that look for a remote login's connection fail too."""
    peer("pending", "denied")
    results, last = run(host, "--rhost=127.0.0.1", "--catch", service="sshd")
    assert last == support.PAM_PERM_DENIED
    expect_no(results, PAM_SUCCESS, PAM_IGNORE)
