# SPDX-License-Identifier: LGPL-2.1-or-later
"""No bus, no broker, or one that is stopped: unavailable, in bounded time, and logged (attack A2)."""

import signal
import socket
import struct
import threading

import pytest

import support
from support import PAM_AUTHINFO_UNAVAIL


def expect_unavailable(attempt, at_most):
    assert attempt.result(at_most + 10) == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < at_most
    lines = [line for line in attempt.log.splitlines() if line.startswith("SYSLOG(3)")]
    assert len([line for line in lines if "login of" in line]) == 1, attempt.log


def test_no_broker(host):
    expect_unavailable(host.start(), 1)


def test_no_bus(host):
    host.stack("auth required MODULE bus=unix:path=/nonexistent/bus")
    expect_unavailable(host.start(), 1)


def test_bus_dies_during_the_wait(bus, host, peer):
    peer("pending", "silence")
    attempt = host.start()
    attempt.code()
    support.end(bus.buses[0])
    expect_unavailable(attempt, 2)


def test_bus_is_stopped(bus, host):
    bus.buses[0].send_signal(signal.SIGSTOP)
    host.stack("auth required MODULE connect=2")
    expect_unavailable(host.start(), 4)


def test_bus_is_stopped_during_the_wait(bus, host, peer):
    peer("soon", "silence")
    attempt = host.start()
    attempt.code()
    bus.buses[0].send_signal(signal.SIGSTOP)
    expect_unavailable(attempt, 7)


def test_broker_is_stopped(host, peer):
    peer("pending", "silence").send_signal(signal.SIGSTOP)
    host.stack("auth required MODULE connect=2")
    expect_unavailable(host.start(), 4)


def test_broker_is_stopped_during_the_wait(host, peer):
    owner = peer("soon", "silence")
    attempt = host.start()
    attempt.code()
    owner.send_signal(signal.SIGSTOP)
    expect_unavailable(attempt, 7)


def test_broker_is_killed_during_the_wait(host, peer):
    owner = peer("pending", "silence")
    attempt = host.start()
    attempt.code()
    owner.kill()
    expect_unavailable(attempt, 2)


def test_broker_is_replaced_during_the_wait(host, peer):
    """The new owner of the name knows nothing of the request, and nobody asks it."""
    first = peer("soon", "silence")
    attempt = host.start()
    attempt.code()
    peer("pending", "approved")
    first.send_signal(signal.SIGSTOP)
    expect_unavailable(attempt, 7)


def test_bus_is_gone_when_the_request_is_taken_back(bus, host, peer):
    """Writing to a dead bus must not end the program by SIGPIPE."""
    peer("pending", "silence")
    attempt = host.start("--wait-enter", "--eof", service="sshd")
    attempt.code()
    support.end(bus.buses[0])
    attempt.press_enter()
    assert attempt.result() == support.PAM_CONV_ERR


@pytest.fixture
def fake_bus(folder):
    """A socket in the bus's place that says what it is told to."""
    listener = socket.socket(socket.AF_UNIX)
    path = folder / "fake"
    listener.bind(str(path))
    listener.listen()
    kept = []

    def start(*answers):
        def serve():
            try:
                connection, _ = listener.accept()
                kept.append(connection)
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer)
                if answers and answers[-1] == b"":
                    connection.close()
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        return f"unix:path={path}"

    yield start
    listener.close()
    for connection in kept:
        connection.close()


GUID = b"0123456789abcdef0123456789abcdef"
AUTHENTICATED = b"DATA\r\nOK " + GUID + b"\r\nAGREE_UNIX_FD\r\n"


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [b""],
        [b"\0" * 4000],
        [b"REJECTED ANONYMOUS\r\n"],
        [b"OK\r\n"],
        [b"A" * 100000],
        [AUTHENTICATED + b"l\x02\x00\x01" + b"\xff" * 4096],
        [AUTHENTICATED + b"l\x02\x01\x01" + struct.pack("<III", 0, 1, 8) + b"\x05\x01u\0\x01\0\0\0", b""],
        [AUTHENTICATED + b"\x00" * 64],
    ],
    ids="silent closes zeros rejected short-ok noise huge-message hello-without-name zero-message".split(),
)
def test_something_else_in_the_place_of_the_bus(host, fake_bus, answers):
    host.stack(f"auth required MODULE connect=2 bus={fake_bus(*answers)}")
    expect_unavailable(host.start(), 4)
