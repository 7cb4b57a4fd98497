#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the figures of one run of `make bench` beside their floors and targets."""

import pathlib
import subprocess
import sys
import tempfile


def stripped_size(module):
    """Bytes of the module as a package would ship it."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["strip", "-o", out.name, module], check=True)
        return pathlib.Path(out.name).stat().st_size


def row(what, value, target, met):
    print(f"  {what:<58} {value:>22}   {target:<30} {'met' if met else 'NOT MET'}")


def main():
    figures = {}
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        name, value = line.split()
        figures[name] = float(value)
    call, connect = figures["floor_call_p50"], figures["floor_connect_p50"]
    commit = figures["floor_commit_p50"]
    print("Floors on this machine, in this run (p50, microseconds)")
    print(f"  echo call {call:.0f}   connect + call + close {connect:.0f}   durable SQLite commit {commit:.0f}   "
          f"pwrite + fdatasync {figures['floor_fdatasync_p50']:.0f}")
    print("peerauth")
    exempt = figures["exempt_p50"]
    row(f"exempt login, module time: {exempt:.0f} us (first, with loading: {figures['exempt_cold']:.0f} us)",
        f"{exempt / connect:.2f} x connect", "<= 1.5", exempt <= 1.5 * connect)
    decision = 2 * call + commit
    for pending in (1, 60):
        p50, p99 = figures[f"decide{pending}_p50"], figures[f"decide{pending}_p99"]
        row(f"approve sent -> login released, {pending} pending: p50 {p50:.0f} us, p99 {p99:.0f} us",
            f"{p50 / decision:.2f} x decision", "<= 2 (two calls + one commit)", p50 <= 2 * decision)
    rss = figures["broker_rss_60"]
    row("broker resident with 60 pending", f"{rss / 1024:.1f} MiB", "<= 8 MiB", rss <= 8 * 1024)
    wakeups = figures["broker_wakeups"]
    row("broker wake-ups a second, idle", f"{wakeups:.1f}", "0 (watchdog: one in 90 s)", wakeups == 0)
    size = stripped_size(sys.argv[2])
    row("module, stripped", f"{size / 1024:.1f} KiB", "<= 64 KiB", size <= 64 * 1024)


if __name__ == "__main__":
    main()
