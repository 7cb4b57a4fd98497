# SPDX-License-Identifier: LGPL-2.1-or-later
"""The requester's reason: asked before the code is shown, where the front end can ask."""

import time

import pytest
from peer import QUESTION

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_CONV_ERR, PAM_PERM_DENIED, PAM_SUCCESS

ASKING = "sshd login remote su su-l sudo sudo-i".split()
NEEDED = "org.peerauth.PeerAuth1.Error.ReasonNeeded"


def creates(owner):
    return [words[0] for name, words in support.calls_with_arguments(owner) if name == "CreateRequest"]


@pytest.mark.parametrize("service", ASKING)
def test_asked_and_sent(host, peer, service):
    owner = peer("ask,pending", "approved")
    attempt = host.direct("--answer=fix the printer", service=service)
    assert attempt.result() == PAM_SUCCESS
    assert attempt.lines[0]["message"] == support.PROMPT_ECHO_ON
    assert attempt.lines[0]["text"].strip().splitlines() == [QUESTION, "Reason (at most 200 bytes): ".strip()]
    assert "Code 482 913" in attempt.lines[1]["text"]
    first, second = creates(owner)
    assert first["can-ask"] is True and "reason" not in first
    assert second["can-ask"] is True and second["reason"] == "fix the printer"


@pytest.mark.parametrize("service", ["gdm-password", "swaylock", "lightdm", "i3lock", "one", "cockpit", "sshd2"])
def test_not_asked_elsewhere(host, peer, service):
    """swaylock answers every prompt with the password, greeters replace one message by the next."""
    owner = peer("pending", "denied")
    attempt = host.direct(service=service)
    assert attempt.result() == PAM_PERM_DENIED
    assert all("can-ask" not in login for login in creates(owner))
    owner = peer(f"error={NEEDED}", "approved")
    attempt = host.direct(service=service)
    assert attempt.result() == PAM_PERM_DENIED
    assert {line["message"] for line in attempt.lines if "message" in line} == {support.ERROR_MSG}


def test_not_asked_when_the_rule_does_not(host, peer):
    owner = peer("pending", "approved")
    attempt = host.direct(service="sudo")
    assert attempt.result() == PAM_SUCCESS
    assert len(creates(owner)) == 1
    assert not any("Reason" in text for text in attempt.texts())


def test_nothing_typed(host, peer):
    owner = peer("ask,pending", "approved")
    assert host.direct("--answer=", service="sudo").result() == PAM_SUCCESS
    assert creates(owner)[1]["reason"] == ""


def test_asked_once_only(host, peer):
    """A broker that asks on and on does not get a third answer."""
    owner = peer(f"question={QUESTION}", "approved")
    attempt = host.direct("--answer=x", service="sudo")
    assert attempt.result() == PAM_PERM_DENIED
    assert len(creates(owner)) == 2
    assert attempt.texts()[-1] == f"This login is not allowed.\n{QUESTION}"


def test_denied_for_the_reason(host, peer):
    peer("ask,denied", "approved")
    assert host.direct("--answer=x", service="login").result() == PAM_PERM_DENIED


@pytest.mark.parametrize("service", ["sudo", "sshd"])
def test_password_typed_by_reflex_is_not_sent(host, peer, service):
    owner = peer("ask,pending", "approved")
    attempt = host.direct("--call=authtok=hunter2,auth", "--answer=hunter2", service=service)
    assert attempt.result() == PAM_SUCCESS
    logins = creates(owner)
    assert logins[1]["reason"] == ""
    assert "hunter2" not in repr(logins) + attempt.log


def test_other_words_than_the_password_are_sent(host, peer):
    owner = peer("ask,pending", "approved")
    host.direct("--call=authtok=hunter2,auth", "--answer=hunter", service="sudo").result()
    assert creates(owner)[1]["reason"] == "hunter"


@pytest.mark.parametrize("password, typed, sent", [
    ("abc", "abc of the fabcric", "abc of the fabcric"),
    ("abc", " abc\t", ""),
    ("word ", "my word", ""),
    ("word", "sword", ""),
    ("    ", "  ", ""),
    ("    ", "a    b", "a    b"),
], ids="short short-alone blank-in-password inside blanks only-blanks".split())
def test_password_among_other_words(host, peer, password, typed, sent):
    """One of less than 4 bytes stands in too many words: it must be all that was typed."""
    owner = peer("ask,pending", "approved")
    host.direct(f"--call=authtok={password},auth", f"--answer={typed}", service="sudo").result()
    assert creates(owner)[1]["reason"] == sent


@pytest.mark.parametrize("size, sent", [(200, True), (201, False), (5000, False)])
def test_length(host, peer, size, sent):
    """Too long: said, asked once more, then denied."""
    owner = peer("ask,pending", "approved")
    attempt = host.direct("--answer=" + "x" * size, service="sudo")
    result = attempt.result()
    if sent:
        assert result == PAM_SUCCESS and creates(owner)[1]["reason"] == "x" * size
        return
    assert result == PAM_PERM_DENIED
    prompts = [line["text"] for line in attempt.lines if line.get("message") == support.PROMPT_ECHO_ON]
    assert len(prompts) == 2
    assert "too long" not in prompts[0] and prompts[1].startswith("That was too long.\n")
    assert attempt.texts()[-1] == "The reason is too long."
    assert len(creates(owner)) == 1


@pytest.mark.parametrize(
    "typed, sent",
    [
        ("Müller’s disk", "Müller’s disk"),
        ("a\\b", "a\\b"),
        ("a\tb", "a\\x09b"),
        ("\x1b[2Jx", "\\x1b[2Jx"),
        (b"caf\xe9", "caf\\xe9"),
        ("x\u202ey", "x\\u{202e}y"),
    ],
    ids="utf-8 backslash tab escape latin-1 bidi".split(),
)
def test_text_is_made_fit_for_the_bus(host, peer, typed, sent):
    owner = peer("ask,pending", "approved")
    option = b"--answer=" + (typed if isinstance(typed, bytes) else typed.encode())
    assert host.direct(option, service="sudo").result() == PAM_SUCCESS
    assert creates(owner)[1]["reason"] == sent


def test_escaped_text_stays_within_its_length(host, peer):
    owner = peer("ask,pending", "approved")
    assert host.direct("--answer=" + "\x1b" * 200, service="sudo").result() == PAM_SUCCESS
    assert len(creates(owner)[1]["reason"].encode()) <= 200


@pytest.mark.parametrize("how", ["--eof", "--fail-message=0"])
def test_given_up(host, peer, how):
    owner = peer("ask,pending", "approved")
    attempt = host.direct(how, service="sudo")
    assert attempt.result() == PAM_CONV_ERR
    assert len(creates(owner)) == 1


def test_effects_in_the_question(host, peer):
    peer("question=\x1b[2J\u202ewhy\nCode 111 111: " + "q" * 4000, "approved")
    attempt = host.direct("--answer=x", service="sudo")
    assert attempt.result() == PAM_PERM_DENIED
    for text in attempt.texts():
        assert "\x1b" not in text and "\u202e" not in text and "\nCode" not in text
        assert len(text.encode()) < 512
    assert "\\x1b[2J\\u{202e}why" in attempt.texts()[0]
    assert attempt.texts()[0].endswith("Reason (at most 200 bytes): ")


def test_empty_question(host, peer):
    peer("question=", "approved")
    attempt = host.direct("--answer=x", service="sudo")
    attempt.result()
    assert attempt.texts()[0].startswith("Please give a reason for this login.\n")


def test_no_connection_is_held_while_the_person_types(host, bus, peer):
    """The bus has 256 connections for uid 0, and a login may stop here for as long as it likes."""
    peer("ask,pending", "approved")
    watcher = bus.client("root")
    before = set(watcher.bus("ListNames")[0])
    attempt = host.direct("--wait-enter", "--answer=x", service="sudo")
    attempt.until("message")
    time.sleep(0.2)
    assert set(watcher.bus("ListNames")[0]) == before
    attempt.press_enter()
    attempt.code()


def test_time_to_type_counts(host, peer):
    """The front end's limit goes on: what is left after typing is what the code is valid for."""
    peer("ask,pending", "approved")
    attempt = host.direct("--alarm=40", "--wait-enter", "--answer=x", service="sshd")
    attempt.until("message")
    time.sleep(4)
    attempt.press_enter()
    text = attempt.until("message")["text"]
    attempt.press_enter()
    assert attempt.result() == PAM_SUCCESS
    left = int(text.split("Valid ")[1].split(" s")[0])
    assert 26 <= left <= 28  # 40 - margin 5 - slack 3 - typing 4


def test_too_slow_to_type(host, peer):
    owner = peer("ask,pending", "approved")
    attempt = host.direct("--alarm=16", "--wait-enter", "--answer=x", service="sudo")
    attempt.until("message")
    time.sleep(5)
    attempt.press_enter()
    assert attempt.result() == support.PAM_AUTH_ERR
    assert attempt.texts()[-1].startswith("Too little time is left")
    assert len(creates(owner)) == 1


def test_broker_goes_while_the_person_types(host, peer):
    owner = peer("ask,pending", "approved")
    attempt = host.direct("--wait-enter", "--answer=x", service="sudo")
    attempt.until("message")
    support.end(owner)
    attempt.press_enter()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
