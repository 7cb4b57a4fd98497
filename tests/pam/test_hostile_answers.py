# SPDX-License-Identifier: LGPL-2.1-or-later
"""An attacker owns the broker's name and answers as it likes (attack A1)."""

import pytest

import support
from support import PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_MAXTRIES, PAM_PERM_DENIED, PAM_SUCCESS

BUS_ERROR = "org.freedesktop.DBus.Error."
OUR_ERROR = "org.peerauth.PeerAuth1.Error."


def test_the_peer_can_approve(host, peer):
    """Without this, every denial below could have another reason."""
    peer("pending", "approved")
    assert host.run() == PAM_SUCCESS


@pytest.mark.parametrize(
    "create",
    "approved expired unknown-word upper-case empty-word short-id odd-id no-code odd-code long-code "
    "empty-body only-word numbers boolean variant wrong-detail nested past zero odd-enough".split(),
)
def test_first_answer_of_the_wrong_form(host, peer, create):
    peer(create, "approved")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert "login of" in attempt.log


@pytest.mark.parametrize(
    "wait",
    "unknown-word upper-case padded empty-word empty-body only-word boolean number variant array wrong-by "
    "wrong-note pending exempt".split(),
)
def test_decision_of_the_wrong_form(host, peer, wait):
    peer("pending", wait)
    assert host.direct().result() == PAM_AUTHINFO_UNAVAIL


@pytest.mark.parametrize(
    "error, code",
    [
        (OUR_ERROR + "RateLimited", PAM_MAXTRIES),
        (OUR_ERROR + "Locked", PAM_MAXTRIES),
        (OUR_ERROR + "Expired", PAM_AUTH_ERR),
        (OUR_ERROR + "LedgerUnavailable", PAM_AUTHINFO_UNAVAIL),
        (OUR_ERROR + "NoSuchRequest", PAM_AUTHINFO_UNAVAIL),
        (OUR_ERROR + "AlreadyDecided", PAM_AUTHINFO_UNAVAIL),
        (BUS_ERROR + "AccessDenied", PAM_PERM_DENIED),
        (BUS_ERROR + "InvalidArgs", PAM_AUTHINFO_UNAVAIL),
        (BUS_ERROR + "Failed", PAM_AUTHINFO_UNAVAIL),
        (BUS_ERROR + "NoMemory", PAM_AUTHINFO_UNAVAIL),
        ("org.example.Success", PAM_AUTHINFO_UNAVAIL),
    ],
)
@pytest.mark.parametrize("stage", ["create", "wait"])
def test_errors(host, peer, error, code, stage):
    peer(*(["error=" + error, "approved"] if stage == "create" else ["pending", "error=" + error]))
    attempt = host.direct()
    assert attempt.result() == code
    assert "\x1b" not in "".join(attempt.texts())


def test_effects_in_texts_are_escaped(host, peer):
    peer("effects", "effects")
    attempt = host.start()
    assert attempt.result() == PAM_PERM_DENIED
    for text in attempt.texts():
        assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
        assert len(text.encode()) < 512
    assert len([text for text in attempt.texts() if "\nCode 111 111" in text]) == 0
    assert "\\x1b]0;x" in attempt.texts()[-1]


def test_cancelled_elsewhere(host, peer):
    peer("pending", "cancelled")
    assert host.run() == PAM_PERM_DENIED


def test_denied_at_once(host, peer):
    peer("denied", "approved")
    attempt = host.start()
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.texts() == ["This login is not allowed.\nNo."]


def test_person_is_told_who_decided_and_why(host, peer):
    peer("pending", "denied")
    attempt = host.start()
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.lines[-2] == {"message": support.ERROR_MSG, "text": "Denied by bob.\nNote: not her"}


def test_code_is_in_no_log(host, peer):
    peer("pending", "denied")
    attempt = host.start()
    attempt.result()
    assert "debug" in (host.services / "one").read_text()
    assert "482" not in attempt.log
