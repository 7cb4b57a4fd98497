# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ctrl-C on tests/host/run leaves nothing behind. Runs on the machine itself, where a shell's background jobs
could not be sent SIGINT; selftest has the other signals."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

RUN = pathlib.Path(__file__).resolve().parent / "run"


def left_of(process, mark):
    """Processes, control groups and mounts of the host that this process made."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "cmdline").read_text(errors="replace"):
                found.append(str(folder))
        except OSError:
            pass  # it has ended
    found += map(str, pathlib.Path("/sys/fs/cgroup").rglob(f"peerauth-host-{process.pid}*"))
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return found + [line for line in mounts if "peerauth-host" in line]


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["the process", "the whole terminal"])
def test_interrupted_run_leaves_nothing_behind(send):
    mark = f"marker-{os.getpid()}-{time.monotonic_ns()}"
    # Suites that run in the background of a shell ignore SIGINT, and what they start inherits that.
    command = ["env", "--default-signal=INT", RUN, "--no-install", "/bin/bash", "-c", "echo up; sleep 1000", mark]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout.readline() == "up\n"
        assert len(left_of(process, mark)) > 2
        send(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) == -signal.SIGINT
    finally:
        if process.poll() is None:
            process.terminate()
    end = time.monotonic() + 5
    while left_of(process, mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert left_of(process, mark) == []
