# SPDX-License-Identifier: LGPL-2.1-or-later
"""A person who gives up, and a conversation that fails (attack A5)."""

import signal
import time

import pytest

from support import PAM_CONV_ERR, PAM_PERM_DENIED, PAM_SUCCESS, gone, pending


@pytest.mark.parametrize("service", ["sshd", "login", "gdm-password"])
def test_error_when_the_code_is_shown(host, broker, service):
    attempt = host.start("--fail-message=0", service=service)
    assert attempt.result() == PAM_CONV_ERR
    assert attempt.seconds < 2
    assert broker.client("bob").requests() == ([], 0)


def test_end_of_input_at_the_prompt(host, broker):
    assert host.run("--eof", service="sshd") == PAM_CONV_ERR
    assert broker.client("bob").requests() == ([], 0)


def test_error_at_the_countdown(host, broker):
    host.stack("auth required MODULE timeout=36", service="su")
    attempt = host.start("--fail-message=1", service="su")
    assert attempt.result(15) == PAM_CONV_ERR
    assert 2 < attempt.seconds < 5
    assert broker.client("bob").requests() == ([], 0)


def test_error_when_the_decision_is_shown(host, peer):
    """The decision stands: it is in the ledger."""
    peer("pending", "approved")
    assert host.run("--fail-message=1") == PAM_SUCCESS


def test_error_when_the_denial_is_shown(host, peer):
    peer("pending", "denied")
    assert host.run("--fail-message=1") == PAM_PERM_DENIED


def test_what_is_typed_is_ignored(host, peer):
    peer("pending", "denied")
    assert host.run("--answer=482913", service="sshd") == PAM_PERM_DENIED


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_caught_signal_ends_the_wait(host, broker, signo):
    """sudo catches signals for later; its handler must still see them, and its mask stay as it was."""
    attempt = host.start("--catch")
    attempt.code()
    time.sleep(0.2)
    attempt.process.send_signal(signo)
    assert attempt.result() == PAM_CONV_ERR
    assert attempt.seconds < 3
    assert attempt.final["caught"] == signo
    assert attempt.final["mask_kept"] is True
    assert broker.client("bob").requests() == ([], 0)


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_other_signals_end_the_program(host, broker, signo):
    """The host's own disposition holds; the broker sees the connection end."""
    reviewer = broker.client("bob")
    attempt = host.start()
    attempt.code()
    pending(reviewer)
    attempt.process.send_signal(signo)
    assert attempt.process.wait(2) == -signo
    gone(reviewer)


def test_stopped_and_continued(host, broker):
    """An interrupted sleep is not the end of the wait."""
    reviewer = broker.client("bob")
    attempt = host.start()
    code = attempt.code()
    attempt.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    attempt.process.send_signal(signal.SIGCONT)
    reviewer.approve(pending(reviewer)["id"], code=code)
    assert attempt.result() == PAM_SUCCESS
