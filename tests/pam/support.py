# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the module share: codes of PAM, and the processes around the module."""

import json
import os
import pathlib
import pwd
import queue
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = (TOP / os.environ.get("PEERAUTH_BUILD", "build/release")).resolve()
MODULE = BUILD / "pam_peerauth.so"
HOST = BUILD / "tests/pam/host"
FAULTS = BUILD / "tests/pam/faults.so"
SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name
INSTRUMENTED = SANITIZED or "coverage" in BUILD.name
PRELOAD = os.environ.get("PEERAUTH_PRELOAD", "")

# security/_pam_types.h
PAM_SUCCESS = 0
PAM_PERM_DENIED = 6
PAM_AUTH_ERR = 7
PAM_AUTHINFO_UNAVAIL = 9
PAM_USER_UNKNOWN = 10
PAM_MAXTRIES = 11
PAM_CONV_ERR = 19
PAM_IGNORE = 25
PAM_MODULE_UNKNOWN = 28
PROMPT_ECHO_OFF, PROMPT_ECHO_ON, ERROR_MSG, TEXT_INFO = 1, 2, 3, 4

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus" send_member="UpdateActivationEnvironment"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.login1"/>
    <allow send_destination="org.freedesktop.login1"/>
  </policy>
  <include>{shipped}</include>
  <policy context="mandatory">
    <allow own="org.peerauth.PeerAuth1"/>
  </policy>
</busconfig>
"""


def wait_for(condition, seconds=5.0, what="the condition"):
    """Polls until condition() is true, and returns its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def end(process):
    """Ends one of our own processes, stopped or not."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.wait()


class Bus:
    """A private dbus-daemon."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"

    def __enter__(self):
        config = self.folder / "bus.conf"
        shipped = TOP / "packaging/dbus/org.peerauth.PeerAuth1.conf"
        config.write_text(BUS_CONFIG.format(address=self.address, shipped=shipped))
        # Other accounts come through here, and pytest makes its folders private.
        for folder in (self.folder, *self.folder.parents):
            if folder == pathlib.Path(tempfile.gettempdir()):
                break
            folder.chmod(0o755)
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog"],
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.socket.exists, what="the socket of the bus")
        return self

    def __exit__(self, *_):
        end(self.process)


class Host:
    """Starts tests/pam/host.c."""

    def __init__(self, bus, folder):
        self.bus = bus
        self.services = folder / "pam.d"
        self.services.mkdir()
        self.attempts = []

    def stack(self, *lines, service="peerauth-test"):
        """Writes a service file; MODULE stands for the module with the test's bus."""
        module = f"{MODULE} bus={self.bus.address}"
        (self.services / service).write_text("".join(line.replace("MODULE", module) + "\n" for line in lines))

    def start(self, *arguments, service="peerauth-test", preload="", env=None, wrapped=False, as_user=None):
        """wrapped: through pam_wrapper instead of pam_start_confdir(3); such a run must not be killed,
        because pam_wrapper then leaves a folder behind."""
        if not (self.services / service).exists():
            self.stack("auth required MODULE debug", service=service)
        libraries = [PRELOAD, "libpam_wrapper.so" if wrapped else "", str(preload)]
        environment = {
            "PATH": "/usr/bin:/bin",
            "LD_PRELOAD": " ".join(library for library in libraries if library),
            "ASAN_OPTIONS": "detect_leaks=0",
            **(env or {}),
        }
        if wrapped:
            environment |= {"PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": str(self.services)}
        else:
            arguments = (f"--confdir={self.services}", *arguments)
        attempt = Attempt([str(HOST), f"--service={service}", *arguments], environment, as_user)
        self.attempts.append(attempt)
        return attempt

    def run(self, *arguments, seconds=20, **keywords):
        """Starts, waits for the end, and returns the PAM code."""
        return self.start(*arguments, **keywords).result(seconds)

    def direct(self, *arguments, options=(), **keywords):
        """The module's own return code, which a stack would change."""
        words = [f"--arg=bus={self.bus.address}", *(f"--arg={option}" for option in options)]
        return self.start(f"--direct={MODULE}", *words, *arguments, **keywords)

    def stop(self):
        for attempt in self.attempts:
            end(attempt.process)


class Attempt:
    """One run of the host program."""

    def __init__(self, command, environment, user=None):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, user=user, stdin=pipe, stdout=pipe, stderr=pipe)
        self.lines = []
        self.log = ""
        self.started = time.monotonic()
        self._queue = queue.Queue()
        self._pumps = [
            threading.Thread(target=self._pump, args=pair, daemon=True)
            for pair in ((self.process.stdout, self._take_line), (self.process.stderr, self._take_log))
        ]
        for pump in self._pumps:
            pump.start()

    def _pump(self, stream, take):
        for raw in stream:
            take(raw.decode(errors="replace"))
        take(None)

    def _take_line(self, text):
        self._queue.put(json.loads(text) if text is not None else None)

    def _take_log(self, text):
        self.log += text or ""

    def next(self, seconds=10):
        """The next line of output, None at the end."""
        line = self._queue.get(timeout=seconds)
        if line is not None:
            self.lines.append(line)
        return line

    def until(self, key, seconds=20):
        """Reads on to the next line that has key."""
        finish = time.monotonic() + seconds
        while True:
            line = self.next(max(0.01, finish - time.monotonic()))
            assert line is not None, f"ended without {key}: {self.lines} {self.log}"
            if key in line:
                return line

    def code(self, seconds=10):
        """The six digits that the person is shown."""
        while True:
            found = re.search(r"(?:^|\n)Code (\d{3}) (\d{3}): ", self.until("message", seconds)["text"])
            if found:
                return found.group(1) + found.group(2)

    def result(self, seconds=20):
        self.final = self.until("result", seconds)
        self.seconds = time.monotonic() - self.started
        self.process.wait(5)
        for pump in self._pumps:
            pump.join(5)
        return self.final["result"]

    def texts(self):
        return [line["text"] for line in self.lines if "text" in line]


def start_peer(bus, *arguments):
    """A hostile owner of the broker's name: see peer.py."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "peer.py"), str(bus.socket), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "ready"
    return process


# Accounts that every system has, each in the group of its own name.
REVIEWERS = ("daemon", "bin")
POLICY = """[Rule exempt]
Service=peerauth-exempt
Action=exempt

[Rule forbidden]
Service=peerauth-forbidden
Action=deny

[Rule two]
Service=peerauth-two
Action=require
Reviewers=daemon:2
Admins=bin

[Rule short]
Service=peerauth-short
Action=require
Reviewers=daemon:1
Expires=10s

[Rule default]
Action=require
Reviewers=daemon:1
Admins=bin
Expires=60s
"""


class Broker:
    """The real broker on a private bus, and a logind that knows one local session of each reviewer."""

    def __init__(self, bus, folder, policy=POLICY):
        self.bus = bus
        self.folder = folder
        self.policy = policy
        self.reviewers = []

    def __enter__(self):
        uids = [str(pwd.getpwnam(name).pw_uid) for name in REVIEWERS]
        self.logind = self._start([sys.executable, str(HERE / "logind.py"), str(self.bus.socket), *uids])
        for name in ("conf", "vendor", "state"):
            (self.folder / name).mkdir(mode=0o755 if name != "state" else 0o700)
        (self.folder / "conf/peerauth.conf").write_text(self.policy)
        self.log = open(self.folder / "broker.log", "w+")
        self.process = subprocess.Popen(
            [
                str(BUILD / "peerauth-broker"),
                f"--conf-dir={self.folder}/conf",
                f"--vendor-dir={self.folder}/vendor",
                f"--state-dir={self.folder}/state",
            ],
            env={"DBUS_SYSTEM_BUS_ADDRESS": self.bus.address, "PATH": "/usr/bin:/bin"},
            stderr=self.log,
        )
        wait_for(self._owns_name, what="the broker's name on the bus")
        return self

    def __exit__(self, *_):
        for process in [*self.reviewers, self.process, self.logind]:
            end(process)
        self.log.close()

    def _start(self, command, **keywords):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **keywords
        )
        assert process.stdout.readline().strip() == "ready"
        return process

    def _owns_name(self):
        assert self.process.poll() is None, (self.folder / "broker.log").read_text()
        command = ["dbus-send", f"--bus={self.bus.address}", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        command += ["org.freedesktop.DBus.GetNameOwner", "string:org.peerauth.PeerAuth1"]
        return subprocess.run(command, capture_output=True).returncode == 0

    def recorded(self, kind):
        """The newest ledger entry of a kind."""
        with sqlite3.connect(f"file:{self.folder}/state/ledger.db?mode=ro", uri=True) as ledger:
            entries = [json.loads(row[0]) for row in ledger.execute("SELECT body FROM entry ORDER BY idx")]
        return [entry for entry in entries if entry["kind"] == kind][-1]

    def reviewer(self, name="daemon"):
        """A colleague who runs as name."""
        process = self._start([sys.executable, str(HERE / "reviewer.py"), str(self.bus.socket)], user=name)
        self.reviewers.append(process)
        return Reviewer(process)


class Reviewer:
    def __init__(self, process):
        self.process = process

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def requests(self):
        return self.ask("list")["requests"]

    def request(self, seconds=5):
        """The one request that waits."""
        return wait_for(self.requests, seconds, "a pending request")[0]
