# SPDX-License-Identifier: LGPL-2.1-or-later
"""An attacker has the broker's name and is silent, late or loud, or stands beside it (attacks A1, A2, B5)."""

import time

import pytest

import support
from support import PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_SUCCESS


@pytest.mark.parametrize("how", ["die", "garbage"])
@pytest.mark.parametrize("stage", ["create", "wait"])
def test_owner_goes_away(host, peer, how, stage):
    """The bus answers in the place of an owner that disconnects, or that it throws out."""
    peer(*([how, "approved"] if stage == "create" else ["pending", how]))
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 2
    assert "NoReply" in attempt.log


def test_name_is_given_up_during_the_wait(host, peer):
    """The connection that was asked lives on but says nothing: the deadline ends it."""
    peer("soon", "disown")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert 1.5 < attempt.seconds < 7


def test_silence_at_the_deadline(host, peer):
    peer("soon", "silence")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert 1.5 < attempt.seconds < 7


def test_approval_after_the_deadline_does_not_count(host, peer):
    """The deadline is 2 s and its slack 3 s."""
    peer("soon", "late=6,approved")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 6


def test_approval_that_was_late_while_the_prompt_was_open(host, peer):
    """The person presses Enter after the deadline: what waits in the socket is too old."""
    peer("soon", "late=1,approved")
    attempt = host.start("--wait-enter", service="sshd")
    attempt.code()
    time.sleep(6)
    attempt.press_enter()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL


def test_approval_that_came_while_the_prompt_was_open(host, peer):
    peer("pending", "approved")
    attempt = host.start("--wait-enter", service="sshd")
    attempt.code()
    time.sleep(1)
    attempt.press_enter()
    assert attempt.result() == PAM_SUCCESS


def test_endless_deadline_is_cut(host, peer):
    """The module's own limit holds whatever the broker says."""
    peer("endless", "silence")
    host.stack("auth required MODULE timeout=10")
    attempt = host.start()
    assert attempt.result(20) == PAM_AUTH_ERR
    assert 6 < attempt.seconds < 11


def test_first_answer_never_comes(host, peer):
    peer("silence", "approved")
    host.stack("auth required MODULE connect=2")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert 1.5 < attempt.seconds < 4


def test_flood_of_messages_does_not_stretch_the_wait(host, peer):
    peer("soon", "flood")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 8


def test_forged_signals_and_replies(bus, host, peer):
    """A stranger says "approved" to every connection, as a signal and as a reply (attack B5)."""
    peer("soon", "silence")
    stranger = support.start_peer(bus, "bystander", "")
    try:
        assert host.run() == PAM_AUTHINFO_UNAVAIL
    finally:
        support.end(stranger)
