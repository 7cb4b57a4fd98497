# SPDX-License-Identifier: LGPL-2.1-or-later
"""The session hooks: told to the broker, and never in the way of a login."""

import signal

import pytest

import support
from support import PAM_IGNORE

WITH_ID = "env=XDG_SESSION_ID=c42"


def run(host, calls, *arguments, **keywords):
    attempt = host.direct(f"--call={calls}", *arguments, **keywords)
    assert attempt.result() == PAM_IGNORE
    assert attempt.texts() == []
    return attempt


def test_opened_and_closed(host, peer):
    owner = peer("denied", "denied")
    run(host, f"{WITH_ID},open,close", "--user=alice", service="sshd")
    assert support.calls_with_arguments(owner) == [
        ("SessionOpened", ["c42"]),
        ("SessionClosed", ["c42"]),
    ]


def test_through_libpam_after_another_module_has_set_the_session(host, peer):
    owner = peer("denied", "denied")
    host.stack("session required pam_permit.so", "session optional MODULE")
    attempt = host.start(f"--call={WITH_ID},open,close", "--user=alice", service="one")
    assert attempt.result() == support.PAM_SUCCESS
    assert support.calls(owner) == ["SessionOpened", "SessionClosed"]


def test_alone_it_opens_no_session(host, peer):
    """PAM_IGNORE decides nothing, so a stack of it alone refuses."""
    peer("denied", "denied")
    host.stack("session required MODULE")
    assert host.run(f"--call={WITH_ID},open") == support.PAM_PERM_DENIED


def test_without_a_session_nobody_is_told(host, peer):
    owner = peer("denied", "denied")
    run(host, "open,close")
    assert support.calls(owner) == []


def test_the_environment_of_the_program_does_not_name_the_session(host, peer):
    """It is the caller's under su and sudo (attack A9)."""
    owner = peer("denied", "denied")
    run(host, "open,close", env={"XDG_SESSION_ID": "c1"})
    run(host, f"{WITH_ID},open", env={"XDG_SESSION_ID": "c1"})
    assert support.calls_with_arguments(owner) == [("SessionOpened", ["c42"])]


@pytest.mark.skipif(support.SANITIZED, reason="the preloaded library would meet the sanitizer's own calls")
def test_no_variable_is_asked_for(host, peer):
    peer("denied", "denied")
    words = ["--first-fault=100000", "--last-fault=100000", f"--call={WITH_ID},open,close"]
    attempt = host.direct(*words, preload=support.FAULTS, env={"XDG_SESSION_ID": "c1"})
    attempt.until("result")
    attempt.finish()
    assert [line for line in attempt.log.splitlines() if line.startswith("GETENV")] == []


@pytest.mark.parametrize("value", ["", "../../x", "c 1", "c1\n", "\x1b[2J", "s" * 65, "ü"])
def test_session_that_is_none(host, peer, value):
    owner = peer("denied", "denied")
    run(host, f"env=XDG_SESSION_ID={value},open,close")
    assert support.calls(owner) == []


def test_unprivileged_program(host, peer):
    owner = peer("denied", "denied")
    run(host, f"{WITH_ID},open,close", "--user=alice", as_user="alice")
    assert support.calls(owner) == []


@pytest.mark.parametrize("service", "su su-l sudo sudo-i runuser cron systemd-user polkit-1".split())
def test_services_without_a_session_of_their_own(host, peer, service):
    """What pam_systemd names there is the session around su, whose end is not su's."""
    owner = peer("denied", "denied")
    run(host, f"{WITH_ID},open,close", service=service)
    assert support.calls(owner) == []


def test_no_broker_is_quiet(host, bus):
    attempt = run(host, f"{WITH_ID},open,close")
    assert attempt.seconds < 1
    lines = [line for line in attempt.log.splitlines() if "cannot tell the broker" in line]
    assert [line.split(": ")[0] for line in lines] == ["SYSLOG(7)"] * 2  # LOG_DEBUG


def test_no_bus(host):
    attempt = host.start(
        f"--direct={support.MODULE}", "--arg=bus=unix:path=/nonexistent/bus", f"--call={WITH_ID},open"
    )
    assert attempt.result() == PAM_IGNORE
    assert "cannot tell the broker that session c42 was opened" in attempt.log


@pytest.mark.parametrize("answer", ["silence", "late=5,ok"])
def test_broker_that_does_not_answer(host, peer, answer):
    """Two seconds at most, and a line in the log."""
    peer("denied", "denied", answer)
    attempt = run(host, f"{WITH_ID},open")
    assert 1.9 < attempt.seconds < 3
    assert "SYSLOG(5): " in attempt.log and "c42 was opened" in attempt.log


def test_broker_is_stopped(host, peer):
    peer("denied", "denied").send_signal(signal.SIGSTOP)
    assert run(host, f"{WITH_ID},close").seconds < 3


def test_bus_is_stopped(host, bus):
    bus.buses[0].send_signal(signal.SIGSTOP)
    assert run(host, f"{WITH_ID},open").seconds < 3


@pytest.mark.parametrize("answer", ["number", "error=org.peerauth.PeerAuth1.Error.NotEligible", "die", "garbage"])
def test_odd_answers(host, peer, answer):
    peer("denied", "denied", answer)
    attempt = run(host, f"{WITH_ID},open")
    assert attempt.seconds < 3
    assert "\x1b" not in attempt.log


def test_wrong_argument_is_logged_and_nothing_else(host, peer):
    owner = peer("denied", "denied")
    attempt = run(host, f"{WITH_ID},open,close", options=["nonsense"])
    assert '"nonsense" is unknown or malformed' in attempt.log
    assert support.calls(owner) == []


def test_a_thousand_times(host, peer):
    """No descriptor and no memory stays (attack A10)."""
    peer("denied", "denied")
    exact = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    attempt = host.direct(f"--call={WITH_ID},open,close", "--repeat=300", env=exact)
    assert attempt.result(120) == PAM_IGNORE
    assert attempt.final["fds"] == 0
    if not support.SANITIZED:
        assert attempt.final["heap"] == 0
