# SPDX-License-Identifier: LGPL-2.1-or-later
"""The built peerauthctl, run as people of several accounts, with and without a terminal."""

import os
import pathlib
import shutil
import subprocess

import pexpect

import peerauth_bus as bus

OK, ERROR, USAGE, GONE, REFUSED, BAD_LEDGER, UNREACHABLE, PRIVILEGE = range(8)


class Ctl:
    """The built program, run as an account in a folder of its own."""

    def __init__(self, system):
        self.system = system
        self.program = system.work / "peerauthctl"
        if not self.program.exists():
            shutil.copy(pathlib.Path(os.environ["PEERAUTH_BUILD"]) / "peerauthctl", self.program)
        self.folder = system.folder / "ctl"
        self.folder.mkdir(mode=0o777)
        self.folder.chmod(0o777)
        self.environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm"}

    def command(self, *arguments):
        return [str(self.program), f"--bus=unix:path={self.system.socket}", *arguments]

    def run(self, *arguments, who="bob", typed=None, **options):
        uid = bus.uid_of(who)
        return subprocess.run(
            self.command(*arguments),
            input=typed,
            stdin=subprocess.DEVNULL if typed is None else None,
            capture_output=True,
            text=True,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd=self.folder,
            env=self.environment,
            timeout=30,
            check=False,
            **options,
        )

    def fails(self, status, *arguments, **options):
        """Runs it, expects this status and one line of stderr, and returns that line."""
        result = self.run(*arguments, **options)
        assert (result.returncode, result.stdout) == (status, ""), result
        assert all(c == "\n" or c.isprintable() for c in result.stderr), result.stderr
        lines = [line for line in result.stderr.splitlines() if line.startswith("peerauthctl: ")]
        assert len(lines) == 1, result.stderr
        return lines[0]

    def works(self, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.returncode == OK, result
        return result.stdout

    def spawn(self, *arguments, who="bob"):
        """On a terminal."""
        uid = str(bus.uid_of(who))
        return pexpect.spawn(
            "setpriv",
            [f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *self.command(*arguments)],
            env=self.environment,
            cwd=str(self.folder),
            encoding="utf-8",
            timeout=10,
        )

    @staticmethod
    def end(terminal):
        terminal.expect(pexpect.EOF)
        terminal.wait()
        return terminal.exitstatus


REST = "[Rule rest]\nAction=deny\n"


class Files:
    """A policy of the test's own: an administrator's file and the vendor's."""

    def __init__(self, folder):
        self.conf, self.vendor = folder / "policy-etc", folder / "policy-vendor"
        self.conf.mkdir(mode=0o755)
        self.vendor.mkdir(mode=0o755)
        self.options = (f"--conf-dir={self.conf}", f"--vendor-dir={self.vendor}")

    def write(self, rules, vendor=REST):
        (self.conf / "peerauth.conf").write_text(rules)
        (self.vendor / "peerauth.conf").write_text(vendor)
