# SPDX-License-Identifier: LGPL-2.1-or-later
"""The module's arguments: what is wrong refuses the login (attack A3); the manual says what there is."""

import re
import subprocess

import pytest

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_IGNORE, PAM_SUCCESS


@pytest.mark.parametrize(
    "argument",
    "timeout timeout= timeout=9 timeout=601 timeout=-1 timeout=+60 timeout=60s timeout=6e1 timeout=0x3c "
    "timeout=99999999999999999999 timeout=60=60 Timeout=60 time=60 timeouts=60 connect=0 connect=61 "
    "grace=3601 grace= debug=yes debug= Debug bus bus= bus=tcp:host=127.0.0.1 bus=/run/dbus unknown "
    "failmode=safe = =x nullok sufficient skip skip= skip=, skip=a, skip=,a skip=a,,b skip=Cron skip=a/b "
    f"skip={'s' * 65}".split(),
)
def test_unknown_or_malformed(host, peer, argument):
    peer("pending", "approved")
    host.stack(f"auth required MODULE {argument}")
    attempt = host.start()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert f'"{argument[:64]}" is unknown or malformed' in attempt.log
    assert not any(text.startswith("Code") for text in attempt.texts())


@pytest.mark.parametrize(
    "argument",
    ["timeout=10", "timeout=600", "connect=1", "connect=60", "grace=0", "debug"]
    + ["skip=a", f"skip={'s' * 64}", "skip=a,x.y_z@1+-"],
)
def test_limits_of_what_is_taken(host, peer, argument):
    peer("pending", "approved")
    host.stack(f"auth required MODULE {argument}")
    assert host.run() == PAM_SUCCESS


def test_skip_given_twice(host, peer):
    """The first would be lost without a word."""
    peer("pending", "approved")
    assert host.direct(options=["skip=a", "skip=b"]).result() == PAM_AUTHINFO_UNAVAIL


def test_timeout_shortens_the_request(host, broker):
    """The broker learns it too, so that nobody approves what has ended."""
    host.stack("auth required MODULE timeout=10")
    attempt = host.start()
    attempt.code()
    assert attempt.texts()[0].endswith("Valid 7 s.")
    assert attempt.result(15) == support.PAM_AUTH_ERR
    assert attempt.seconds < 10.5


def test_grace_counts_from_the_start_of_the_program(host, peer):
    peer("pending", "approved")
    host.stack("auth required MODULE grace=30", service="sshd")
    attempt = host.start(service="sshd")
    assert attempt.result() == PAM_SUCCESS
    left = int(re.search(r"Valid (\d+) s", attempt.texts()[0]).group(1))
    assert 20 <= left <= 22  # 30 - margin 5 - slack 3


def test_grace_is_of_sshd_alone(host, peer):
    """A stack that services share: a locker that has run for a day must not be told that it is too late."""
    peer("pending", "approved")
    host.stack("auth required MODULE grace=5")
    attempt = host.start()
    assert attempt.result() == PAM_SUCCESS
    assert "Valid 1 min." in attempt.texts()[0]


def test_running_alarm_is_respected(host, peer):
    peer("pending", "approved")
    attempt = host.start("--alarm=40")
    assert attempt.result() == PAM_SUCCESS
    left = int(re.search(r"Valid (\d+) s", attempt.texts()[0]).group(1))
    assert 30 <= left <= 32  # 40 - margin 5 - slack 3


def test_too_little_time_asks_nobody(host, broker):
    attempt = host.start("--alarm=12")
    assert attempt.result() == support.PAM_AUTH_ERR
    assert attempt.texts() == ["Too little time is left for an approval.\nPlease start the login again."]


@pytest.mark.parametrize("calls", ["auth", "account"])
@pytest.mark.parametrize("answer, code", [("exempt", PAM_IGNORE), ("denied", support.PAM_PERM_DENIED)])
@pytest.mark.parametrize("seconds", [4, 7])
def test_who_is_not_held_needs_no_time(host, peer, calls, answer, code, seconds):
    peer(answer, "approved")
    assert host.direct(f"--call={calls}", f"--alarm={seconds}", service="sshd").result() == code


def test_the_account_stage_does_not_count_the_grace_of_sshd(host, peer):
    """Nobody waits there. With so short a grace everything that is held comes too late."""
    peer("exempt", "approved")
    assert host.direct("--call=account", options=["grace=1", "connect=5"], service="sshd").result() == PAM_IGNORE


def test_polkit_is_always_ignored(host, peer):
    """Reviewing asks polkit, so asking about polkit would never end. No argument changes that."""
    owner = peer("pending", "approved")
    attempt = host.direct(service="polkit-1", options=["nonsense"])
    assert attempt.result() == PAM_IGNORE
    assert attempt.texts() == []
    assert support.calls(owner) == []


def test_manual_page_has_every_argument():
    table = subprocess.check_output([support.WORK / "options_table"], text=True)
    rows = [line.split("\t") for line in table.splitlines()]
    manual = (support.TOP / "docs/pam_peerauth.8.scd").read_text()
    arguments = manual.split("# ARGUMENTS")[1].split("\n# ")[0]
    documented = re.findall(r"^\*(\w+)\*(?:=_(\w+)_)?\n\t(.*?)\n\n", arguments, re.M | re.S)
    assert [name for name, _, _ in documented] == [row[0] for row in rows]
    for (name, kind, text), (_, row_kind, default, row_help) in zip(documented, rows):
        assert kind.lower() == ("" if row_kind == "flag" else row_kind), name
        words = " ".join(text.split()).lower()
        assert row_help.lower() in words and f"default: {default.lower()}" in words, name
