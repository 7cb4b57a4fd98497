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
    print(f"  {what:<68} {value:>22}   {target:<30} {'met' if met else 'NOT MET'}")


def told(what, value):
    """A figure without a target."""
    print(f"  {what:<68} {value:>22}   reported only")


def large_policy(figures):
    """One login against 1,000 rules of every kind, of which the last decides."""
    for name, caches, target in (("policy", "warm", "p99 <= 100 us"), ("policy_cold", "cold", None)):
        p50, p99, floor = (figures[key] for key in (f"{name}_p50", f"{name}_p99", f"{name}_floor_p50"))
        what = f"1,000 rules, {caches} caches: p50 {p50:.1f} us, p99 {p99:.1f} us"
        value = f"{p50 / floor:.1f} x strcmp {floor:.1f}"
        if target:
            row(what, value, target, p99 <= 100)
        else:
            told(what, value)


def hanging_name_service(figures):
    """In turn: while the name service hangs for another login, and while it does not."""
    with_, without = figures["hang_with_p50"], figures["hang_without_p50"]
    row(f"the same while a look-up hangs: p50 {with_:.0f} us",
        f"{with_ / without:.2f} x without {without:.0f}", "<= 1.10", with_ <= 1.10 * without)


def polkit(figures):
    if "polkit_with_a_p50" not in figures:
        told("approve sent -> login released, with polkit", "not installed")
        return
    with_, without = ((figures[f"polkit_{which}_a_p50"] + figures[f"polkit_{which}_b_p50"]) / 2
                      for which in ("with", "without"))
    told(f"approve sent -> login released, with polkit: p50 {with_:.0f} us",
         f"{with_ / without:.2f} x without {without:.0f}")


def main():
    figures = {}
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        name, value = line.split()
        figures[name] = float(value)
    print("Floors, taken in turn with the figures (p50, microseconds)")
    print(f"  connect + echo call + close {figures['exempt_floor_p50']:.0f}   "
          f"echo call {figures['decide1_call_p50']:.0f}   durable SQLite commit {figures['decide1_commit_p50']:.0f}   "
          f"pwrite + fdatasync {figures['decide1_sync_p50']:.0f}")
    print("peerauth")
    exempt, connect = figures["exempt_p50"], figures["exempt_floor_p50"]
    row(f"exempt login, module time: p50 {exempt:.0f} us, p99 {figures['exempt_p99']:.0f} us",
        f"{exempt / connect:.2f} x connect", "<= 1.5", exempt <= 1.5 * connect)
    for pending in (1, 60):
        p50, p99 = figures[f"decide{pending}_p50"], figures[f"decide{pending}_p99"]
        floor = figures[f"decide{pending}_floor_p50"]
        row(f"approve sent -> login released, {pending} pending: p50 {p50:.0f} us, p99 {p99:.0f} us",
            f"{p50 / floor:.2f} x floor {floor:.0f}", "<= 2 x (two calls + commit)", p50 <= 2 * floor)
    hanging_name_service(figures)
    polkit(figures)
    large_policy(figures)
    rss = figures["broker_rss_60"]
    row("broker resident with 60 pending", f"{rss / 1024:.1f} MiB", "<= 8 MiB", rss <= 8 * 1024)
    wakeups = figures["broker_wakeups"]
    row("broker wake-ups a second, idle", f"{wakeups:.1f}", "0 (watchdog: one in 90 s)", wakeups == 0)
    size = stripped_size(sys.argv[2])
    row("module, stripped", f"{size / 1024:.1f} KiB", "<= 64 KiB", size <= 64 * 1024)


if __name__ == "__main__":
    main()
