#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes the figures of `make bench` inside the disposable host: floors and peerauth in one run.

The host's own disk is memory, where a durable commit costs nothing; so the ledger's folder is a folder of the
machine's disk, and the floor of a durable commit is measured in that same folder.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.environ["HOST_DIR"])
import workstation as w  # noqa: E402

BUILD = pathlib.Path(sys.argv[1])
OUTPUT = pathlib.Path(os.environ["HOST_OUTPUT"])
STATE = pathlib.Path("/var/lib/peerauth")
SHIM = pathlib.Path("/run/peerauth-bench")
DROP_IN = pathlib.Path("/run/systemd/system/peerauth-broker.service.d/bench.conf")
POLKIT = pathlib.Path("/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service")
IDLE_SECONDS = 10
POLICY = """\
[Rule bench-exempt]
Service=bench-exempt
Action=exempt

[Rule bench-decide]
Service=bench-decide
Action=require
Reviewers=peerauth-reviewers:1
"""
BUS_POLICY = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><policy user="root">
<allow own="org.peerauth.Bench1"/><allow send_destination="org.peerauth.Bench1"/>
</policy></busconfig>
"""


def bench(program, *args):
    """The figures that a bench program prints."""
    return subprocess.run([str(BUILD / "tests/bench" / program), *args], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def put_ledger_on_disk():
    disk = OUTPUT / "state"
    disk.mkdir(mode=0o700)
    w.run("systemctl", "stop", "peerauth-broker")
    STATE.mkdir(exist_ok=True)
    w.run("mount", "--bind", str(disk), str(STATE))
    w.run("chown", "peerauth:peerauth", str(STATE))
    w.run("systemctl", "start", "peerauth-broker")


def reload_bus():
    w.run("busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ReloadConfig")


def allow_floor():
    pathlib.Path("/etc/dbus-1/system.d/bench.conf").write_text(BUS_POLICY)
    reload_bus()
    for service in ("bench-exempt", "bench-decide"):
        pathlib.Path(f"/etc/pam.d/{service}").write_text(
            "auth [success=ok ignore=ignore default=die] pam_peerauth.so\n"
            "auth required pam_permit.so\naccount required pam_permit.so\n")


def broker_pid():
    return w.run("systemctl", "show", "--property=MainPID", "--value", "peerauth-broker").stdout.strip()


def broker_status(field):
    """The sum over the broker's threads of a figure in /proc/PID/task/TID/status."""
    pattern = re.compile(rf"^{field}:\s+(\d+)", re.M)
    tasks = pathlib.Path(f"/proc/{broker_pid()}/task").iterdir()
    return sum(int(pattern.search((task / "status").read_text()).group(1)) for task in tasks)


def memory_and_wakeups():
    """Resident memory with 60 logins waiting, then wake-ups while nothing happens."""
    holder = subprocess.Popen([str(BUILD / "tests/bench/bench_login"), "hold", "60"], stdout=subprocess.PIPE,
                              text=True)
    holder.stdout.readline()
    status = pathlib.Path(f"/proc/{broker_pid()}/status").read_text()
    resident = re.search(r"VmRSS:\s+(\d+)", status).group(1)
    lines = [f"broker_rss_60 {resident}"]
    holder.kill()
    holder.wait()
    w.wait_for("the requests to end", lambda: w.status()["pending"] == 0)
    time.sleep(1)  # what the end of 60 requests left to do is done
    before = broker_status("voluntary_ctxt_switches")
    time.sleep(IDLE_SECONDS)
    lines.append(f"broker_wakeups {(broker_status('voluntary_ctxt_switches') - before) / IDLE_SECONDS}")
    return "\n".join(lines) + "\n"


def decide(pending, name):
    return bench("bench_login", "decide", "bench-decide", "alice", "bob", pending, str(OUTPUT), name)


def large_policy():
    folder = pathlib.Path("/run/peerauth-bench-policy")
    folder.mkdir()
    return bench("bench_policy", str(folder))


def hanging_name_service():
    """The broker with tests/bus/shim.c in front of its name service, for these figures only."""
    SHIM.mkdir()
    shutil.copy(OUTPUT / "shim.so", SHIM)
    state = SHIM / "state"
    state.write_bytes(bytes(4096))
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\nEnvironment=LD_PRELOAD={SHIM}/shim.so PEERAUTH_TEST_SHIM={state}\n")
    restart_broker()
    figures = bench("bench_login", "hang", "bench-decide", "alice", "bob", str(state))
    DROP_IN.unlink()
    restart_broker()
    return figures


def restart_broker():
    w.run("systemctl", "daemon-reload")
    w.run("systemctl", "restart", "peerauth-broker")


def hide_polkit():
    """As on a host where it is not installed: the bus cannot start it, and it does not run."""
    if POLKIT.exists():
        POLKIT.rename(POLKIT.with_suffix(".hidden"))
        w.run("systemctl", "stop", "polkit")
        reload_bus()


def show_polkit():
    POLKIT.with_suffix(".hidden").rename(POLKIT)
    reload_bus()
    w.run("systemctl", "start", "polkit")


def with_and_without_polkit():
    """Twice each, in turn, with polkit's rules as shipped."""
    figures = ""
    for turn in ("a", "b"):
        show_polkit()
        figures += decide("1", f"polkit_with_{turn}")
        hide_polkit()
        figures += decide("1", f"polkit_without_{turn}")
    return figures


def main():
    put_ledger_on_disk()
    w.add_people()
    allow_floor()
    w.write_policy(POLICY)
    has_polkit = POLKIT.exists()
    hide_polkit()
    bob = w.logged_in("bob")  # stays logged in for as long as this name lives
    figures = large_policy() + bench("bench_login", "exempt", "bench-exempt", "alice")
    for pending in ("1", "60"):
        figures += decide(pending, f"decide{pending}")
    figures += memory_and_wakeups() + hanging_name_service()
    if has_polkit:
        figures += with_and_without_polkit()
    (OUTPUT / "figures").write_text(figures)
    bob.hang_up()
    w.run("systemctl", "stop", "peerauth-broker")
    w.run("umount", str(STATE))


if __name__ == "__main__":
    main()
