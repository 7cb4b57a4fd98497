# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauthctl recovery and totp: who may, what is asked, what is told once, and that it works at a login."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import peerauth_bus as bus
from peerauth_ctl import ERROR, GONE, OK, PRIVILEGE, REFUSED, UNREACHABLE, USAGE, Ctl
from test_recovery import RULES, SHOWN, hotp, redeem, refused, secret_is_nowhere

VERBS = [("recovery", "generate"), ("recovery", "status"), ("recovery", "remove"), ("totp", "enroll"), ("totp", "remove")]
MISMATCH = bus.ERROR + "CodeMismatch"


@pytest.fixture
def system(host):
    host.start_broker(rules=RULES)
    return host


@pytest.fixture
def ctl(system):
    return Ctl(system)


def status(ctl, user="alice"):
    told = json.loads(ctl.works("recovery", "status", "--user", user, "-j", who="root"))
    assert told.pop("user") == user
    return told


def generate(ctl, *words, user="alice"):
    lines = ctl.works("recovery", "generate", f"--user={user}", *words, who="root").splitlines()
    assert len(set(lines)) == 10 and all(re.fullmatch(SHOWN, line) for line in lines), lines
    return lines


def step():
    """The present one, with enough of it left that a password which is typed now is still checked in it."""
    while time.time() % 30 > 25:
        time.sleep(0.1)
    return int(time.time()) // 30


def wrong(secret):
    near = {hotp(secret, step() + d) for d in range(-3, 4)}
    return next(f"{n:06d}" for n in range(10) if f"{n:06d}" not in near)


# ---- who may ----


@pytest.mark.parametrize("who", ["alice", "bob", "erin"])
@pytest.mark.parametrize("verb", VERBS)
def test_only_root_and_that_is_said_before_anything_is_asked(system, ctl, verb, who):
    line = ctl.fails(PRIVILEGE, *verb, "--user=alice", who=who)
    assert "sudo" in line
    assert "recovery-generated" not in [entry["kind"] for entry in system.entries()]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), USAGE),
        (("--user=",), USAGE),
        (("alice",), USAGE),
        (("--user=alice", "--note=x"), USAGE),
        (("--user=no-such-account",), GONE),
        (("--user=" + "x" * 300,), GONE),
        (("--user=b\udcff",), GONE),
        (("--user=\x1b[2J",), GONE),
    ],
)
def test_whose_they_are(ctl, verb, words, expected):
    ctl.fails(expected, *verb, *words, who="root")


def test_no_broker(system, ctl):
    system.broker.stop()
    for verb in VERBS:
        ctl.fails(UNREACHABLE, *verb, "--user=alice", who="root")


# ---- recovery codes ----


def test_ten_codes_that_work(system, ctl):
    assert status(ctl) == {"codes": 0, "totp": False}
    result = ctl.run("recovery", "generate", "--user=alice", who="root")
    assert result.returncode == OK and "shown this once" in result.stderr and "earlier" not in result.stderr, result
    codes = result.stdout.splitlines()
    assert len(set(codes)) == 10 and all(re.fullmatch(SHOWN, code) for code in codes)
    assert not any(code in result.stderr for code in codes)
    assert status(ctl) == {"codes": 10, "totp": False}
    for code in codes[:2]:
        login = system.login(service="test")
        assert redeem(login, code) == () and login.verdict()[0] == "approved"
    assert status(ctl) == {"codes": 8, "totp": False}
    assert "Recovery codes left: 8\n" in ctl.works("recovery", "status", "-u", "alice", who="root")
    secret_is_nowhere(system, *codes)


def test_earlier_codes_are_void_after_a_yes_only(system, ctl):
    old = generate(ctl)
    assert "--yes" in ctl.fails(USAGE, "recovery", "generate", "--user=alice", who="root")
    terminal = ctl.spawn("recovery", "generate", "--user=alice", who="root")
    terminal.expect_exact("The 10 recovery codes that alice has left become void. Go on? [y/N] ")
    terminal.sendline("")
    assert ctl.end(terminal) == REFUSED
    assert redeem(system.login(service="test"), old[0]) == ()
    terminal = ctl.spawn("recovery", "generate", "--user=alice", who="root")
    terminal.expect_exact("The 9 recovery codes")
    terminal.sendline("y")
    terminal.expect("The earlier ones are void")
    terminal.expect(SHOWN)
    new = terminal.after
    assert ctl.end(terminal) == OK
    assert refused(redeem, system.login(service="test"), old[1]).name == MISMATCH
    assert redeem(system.login(service="test"), new) == ()


def test_codes_as_json_and_quietly(ctl):
    told = json.loads(ctl.works("recovery", "generate", "--user=alice", "-j", who="root"))
    assert told["user"] == "alice" and len(set(told["codes"])) == 10
    assert all(re.fullmatch(SHOWN, code) for code in told["codes"])
    result = ctl.run("recovery", "generate", "--user=alice", "--yes", "-q", who="root")
    assert (result.returncode, result.stderr, len(result.stdout.splitlines())) == (OK, "", 10)


def test_codes_that_nobody_saw_are_an_error(ctl):
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in ((), ("-j", "--yes")):
            result = subprocess.run(
                ctl.command("recovery", "generate", "--user=alice", *words),
                stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
            assert result.returncode == ERROR and "cannot be shown again" in result.stderr, result


def test_removing_asks_and_says_what_was_there(system, ctl):
    assert json.loads(ctl.works("recovery", "remove", "--user=alice", "-j", who="root")) == {"user": "alice", "removed": False}
    code = generate(ctl)[0]
    ctl.fails(USAGE, "recovery", "remove", "--user=alice", who="root")
    terminal = ctl.spawn("recovery", "remove", "--user=alice", who="root")
    terminal.expect_exact("Void the 10 recovery codes of alice? [y/N] ")
    terminal.sendline("n")
    assert ctl.end(terminal) == REFUSED and status(ctl)["codes"] == 10
    assert "are void" in ctl.works("recovery", "remove", "--user=alice", "--yes", who="root")
    assert status(ctl)["codes"] == 0
    assert refused(redeem, system.login(service="test"), code).name == MISMATCH
    assert [e["kind"] for e in system.entries()].count("recovery-removed") == 1


# ---- one-time passwords ----


def begin(system, ctl, rows=60, columns=160):
    """totp enroll on a terminal of this size, up to its question: the terminal and the secret."""
    os.kill(system.broker.pid, signal.SIGSTOP)  # so that the size is there before it is looked at
    try:
        terminal = ctl.spawn("totp", "enroll", "--user=alice", who="root")
        terminal.setwinsize(rows, columns)
    finally:
        os.kill(system.broker.pid, signal.SIGCONT)
    terminal.expect("into the app: ([A-Z2-7 ]+)\r\n")
    secret = terminal.match[1]
    terminal.expect_exact("Password that the app shows: ")
    return terminal, secret


def test_enrolment_shows_a_picture_and_counts_after_a_password(system, ctl):
    terminal, secret = begin(system, ctl)
    assert re.fullmatch("([A-Z2-7]{4} ){7}[A-Z2-7]{4}", secret)
    picture = [line for line in terminal.before.splitlines() if set(re.sub("\x1b\\[[0-9;]*m", "", line)) & set("█▀▄")]
    assert len(picture) > 15
    assert status(ctl) == {"codes": 0, "totp": False}
    terminal.sendline(hotp(secret, step() - 1))
    terminal.expect_exact("Confirmed")
    assert ctl.end(terminal) == OK
    assert status(ctl) == {"codes": 0, "totp": True}
    login = system.login(service="test")
    assert redeem(login, hotp(secret, step())) == () and login.verdict()[0] == "approved"
    secret_is_nowhere(system, secret, secret.replace(" ", ""))


def test_the_secret_is_gone_while_it_waits_for_the_password(system, ctl):
    if bus.SANITIZED:
        pytest.skip("a sanitizer keeps freed memory, and shadows that are too large to read")
    terminal, secret = begin(system, ctl)
    proc = pathlib.Path(f"/proc/{terminal.pid}")
    assert b"totp" in (proc / "cmdline").read_bytes()
    for name in ("cmdline", "environ"):
        assert secret.encode() not in (proc / name).read_bytes()
    seen = b""
    with open(proc / "mem", "rb", 0) as memory:
        for line in (proc / "maps").read_text().splitlines():
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if " rw-p " in line and "[v" not in line:
                memory.seek(start)
                seen += memory.read(end - start) + b"\0"
    assert b"--user=alice" in seen  # this is its memory
    compact = secret.replace(" ", "")
    for text in (secret, compact, compact[8:24], compact[-16:]):
        assert text.encode() not in seen, f"at {seen.index(text.encode())}: {seen[seen.index(text.encode()) - 64:][:160]}"
    terminal.sendcontrol("d")
    ctl.end(terminal)


def test_a_small_terminal_and_none_get_text(system, ctl):
    terminal, _ = begin(system, ctl, rows=10)
    assert "A QR code needs" in terminal.before + terminal.after or not set(terminal.before) & set("█▀▄")
    terminal.sendcontrol("d")
    assert ctl.end(terminal) == USAGE
    result = ctl.run("totp", "enroll", "--user=alice", who="root")
    assert result.returncode == USAGE and "do not count" in result.stderr
    assert re.fullmatch("Type this into the app: ([A-Z2-7]{4} ){7}[A-Z2-7]{4}\n", result.stdout)


def test_three_wrong_passwords_and_nothing_counts(system, ctl):
    terminal, secret = begin(system, ctl)
    for n in range(3):
        terminal.sendline(wrong(secret))
        if n < 2:
            terminal.expect_exact("not the password of this moment")
            terminal.expect_exact("Password that the app shows: ")
    terminal.expect_exact("do not count")
    terminal.expect_exact("totp remove")
    assert ctl.end(terminal) == REFUSED
    assert status(ctl)["totp"] is False
    login = system.login(service="test")
    assert login.info["recovery"] is False
    assert refused(redeem, login, hotp(secret, step())).name == MISMATCH


def test_a_wrong_password_may_be_followed_by_a_right_one(system, ctl):
    terminal, secret = begin(system, ctl)
    terminal.sendline(wrong(secret))
    terminal.expect_exact("Password that the app shows: ")
    terminal.sendline("12 34")
    terminal.expect_exact("six digits")
    code = hotp(secret, step())
    terminal.sendline(f"{code[:3]} {code[3:]}")
    terminal.expect_exact("Confirmed")
    assert ctl.end(terminal) == OK and status(ctl)["totp"] is True


def test_a_script_may_enrol_by_json(system, ctl):
    process = subprocess.Popen(
        ctl.command("totp", "enroll", "--user=alice", "--json=short"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = json.loads(process.stdout.readline())
    compact = told["secret"].replace(" ", "")
    assert set(told) == {"user", "secret", "uri"} and told["user"] == "alice"
    assert re.fullmatch(rf"otpauth://totp/[^:]+:alice\?secret={compact}&issuer=.+", told["uri"])
    out, err = process.communicate(hotp(told["secret"], step()) + "\n")
    assert (process.returncode, out, err) == (OK, "", "")
    assert status(ctl)["totp"] is True


def test_who_has_them_keeps_them_until_they_are_removed(system, ctl):
    terminal, secret = begin(system, ctl)
    terminal.sendline(hotp(secret, step() - 1))
    assert ctl.end(terminal) == OK
    assert "totp remove" in ctl.fails(REFUSED, "totp", "enroll", "--user=alice", who="root")
    ctl.fails(USAGE, "totp", "remove", "--user=alice", who="root")
    terminal = ctl.spawn("totp", "remove", "--user=alice", who="root")
    terminal.expect_exact("Void the one-time passwords of alice? [y/N] ")
    terminal.sendline("")
    assert ctl.end(terminal) == REFUSED and status(ctl)["totp"] is True
    assert "are void" in ctl.works("totp", "remove", "--user=alice", "-y", who="root")
    assert status(ctl)["totp"] is False
    assert refused(redeem, system.login(service="test"), hotp(secret, step())).name == MISMATCH


def test_an_enrolment_that_was_left_alone_is_removed_too(system, ctl):
    terminal, _ = begin(system, ctl)
    terminal.sendcontrol("d")
    assert ctl.end(terminal) == USAGE
    ctl.works("totp", "remove", "--user=alice", who="root")
    root = system.client("root")
    assert refused(root.call, bus.ADMINISTRATOR, "ConfirmTotp", "ss", "alice", "123456").name == MISMATCH
    assert [e["kind"] for e in system.entries()][-1] == "totp-removed"
