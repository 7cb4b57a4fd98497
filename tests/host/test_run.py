# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/host/run leaves nothing behind, however it ends. Runs on the machine itself, beside the hosts."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

RUN = pathlib.Path(__file__).resolve().parent / "run"
# Tells when it is up, and would stay for ever.
SCRIPT = "#!/bin/bash\necho up\nexec sleep {sleep}\n"


class Host:
    """A host of this test, told from others by its own words in command lines."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="peerauth-run.", dir="/var/tmp")
        self.sleep = f"{os.getpid()}{time.monotonic_ns() % 10**6}"  # a command line that nobody else has
        script = pathlib.Path(self.folder, "script")
        script.write_text(SCRIPT.format(sleep=self.sleep))
        script.chmod(0o755)
        self.process = subprocess.Popen([RUN, "--no-install", script], stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        assert self.process.stdout.readline() == "up\n"

    def processes(self):
        """Whatever still runs of it: the script, systemd-nspawn, helpers; by session and by command line."""
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    words = (folder / "cmdline").read_bytes().decode(errors="replace")
                    session = (folder / "stat").read_text().rsplit(")", 1)[1].split()[3]
                except OSError:
                    continue
                if self.sleep in words or self.folder in words or session == str(self.process.pid):
                    found.append((folder.name, words.replace("\0", " ")))
        return found


def leftovers(pid):
    """Control groups and mounts of the host that this process made."""
    groups = [str(path) for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd") if os.path.isdir(root)
              for path in pathlib.Path(root).rglob(f"peerauth-host-{pid}")]
    mounts = [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if "peerauth-host" in line]
    return groups + mounts


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_interrupted_run_leaves_nothing_behind(how):
    host = Host()
    assert any(host.sleep in words for _, words in host.processes())
    host.process.send_signal(how)
    assert host.process.wait(timeout=20) == -how
    end = time.monotonic() + 10
    while host.processes() and time.monotonic() < end:
        time.sleep(0.05)
    assert host.processes() == []
    if how == signal.SIGKILL:
        # Nobody is left to remove the empty groups; the next run may, and they hold nothing.
        assert [path for path in leftovers(host.process.pid) if not os.path.isdir(path)] == []
        for path in leftovers(host.process.pid):
            subprocess.run(["find", path, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], check=True)
    assert leftovers(host.process.pid) == []
    subprocess.run(["rm", "-r", host.folder], check=True)


def test_output_and_status_are_passed_on(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho out; echo err >&2; exit 42\n")
    script.chmod(0o755)
    done = subprocess.run([RUN, "--no-install", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (42, "out\n", "err\n")


def test_nothing_on_the_machine_changes(tmp_path):
    mark = f"/etc/peerauth-run-{os.getpid()}"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {mark} && echo made\n")
    script.chmod(0o755)
    done = subprocess.run([RUN, "--no-install", script], capture_output=True, text=True)
    assert done.stdout == "made\n" and not os.path.exists(mark)
