# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the module share: codes of PAM, and the programs around the module."""

import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time

from peerauth_bus import RULES as BUS_RULES
from peerauth_bus import ERROR, BusError, until

TOP = pathlib.Path(__file__).resolve().parents[2]
WORK = pathlib.Path(os.environ["PEERAUTH_WORK"])
VARIANT = os.path.basename(os.environ["PEERAUTH_BUILD"])
MODULE = WORK / "pam_peerauth.so"
HOST = WORK / "host"
FAULTS = WORK / "faults.so"
PRELOAD = os.environ.get("PEERAUTH_PRELOAD", "")
SANITIZED = re.search("asan|tsan", VARIANT) is not None
INSTRUMENTED = SANITIZED or "coverage" in VARIANT

# security/_pam_types.h
PAM_SUCCESS = 0
PAM_PERM_DENIED = 6
PAM_AUTH_ERR = 7
PAM_AUTHINFO_UNAVAIL = 9
PAM_MAXTRIES = 11
PAM_CONV_ERR = 19
PAM_IGNORE = 25
PROMPT_ECHO_OFF, PROMPT_ECHO_ON, ERROR_MSG, TEXT_INFO = 1, 2, 3, 4

# Real programs bring service names of their own.
RULES = (
    BUS_RULES
    + """
[Rule default]
Action=require
Reviewers=peerauth-reviewers:1
Admins=peerauth-admins
Expires=60s
"""
)


def end(process):
    """Ends one of our own processes, stopped or not."""
    if process.poll() is None:
        process.kill()
    process.wait()


def pending(reviewer, seconds=5):
    """The one request that waits, as a reviewer sees it."""
    return until(lambda: reviewer.requests()[0], seconds, "a pending request")[0]


def gone(reviewer, seconds=2):
    """Waits until no request is left to decide."""
    until(lambda: not reviewer.requests()[0], seconds, "the end of the request")


def not_approvable(reviewer, ident, code):
    """The right code comes too late."""
    try:
        answer = reviewer.approve(ident, code=code)
    except BusError as error:
        assert error.name in (ERROR + "NoSuchRequest", ERROR + "AlreadyDecided")
    else:
        raise AssertionError(f"the request could still be approved: {answer}")


def recorded(broker, kind):
    """The newest ledger entry of a kind."""
    return [entry for entry in broker.entries() if entry["kind"] == kind][-1]


class Host:
    """Starts tests/pam/host.c."""

    def __init__(self, bus, folder):
        self.bus = bus
        self.address = f"unix:path={bus.socket}"
        self.services = folder / "pam.d"
        self.services.mkdir()
        self.attempts = []

    def stack(self, *lines, service="one"):
        """Writes a service file; MODULE stands for the module with the test's bus."""
        module = f"{MODULE} bus={self.address}"
        (self.services / service).write_text("".join(line.replace("MODULE", module) + "\n" for line in lines))

    def start(self, *arguments, service="one", preload="", env=None, wrapped=False, as_user=None):
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
        command = [str(HOST), f"--service={service}", *arguments]
        self.attempts.append(Attempt(command, environment, as_user, self.bus.codes))
        return self.attempts[-1]

    def run(self, *arguments, seconds=20, **keywords):
        """Starts, waits for the end, and returns the PAM code."""
        return self.start(*arguments, **keywords).result(seconds)

    def direct(self, *arguments, options=(), **keywords):
        """The module's own return code, which a stack would change."""
        words = [f"--arg=bus={self.address}", *(f"--arg={option}" for option in options)]
        return self.start(f"--direct={MODULE}", *words, *arguments, **keywords)

    def stop(self):
        for attempt in self.attempts:
            end(attempt.process)


class Attempt:
    """One run of the host program."""

    def __init__(self, command, environment, user, codes):
        pipe = subprocess.PIPE
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command, env=environment, user=user, stdin=pipe, stdout=pipe, stderr=pipe
        )
        self.lines, self.log, self.codes = [], "", codes
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

    def returned(self):
        """What each call of --call returned, in their order."""
        return [(line["call"], line["code"]) for line in self.lines if "call" in line]

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
                self.codes.append(found.group(1) + found.group(2))
                return self.codes[-1]

    def press_enter(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def finish(self):
        """Waits for the end of the program and of its output."""
        self.process.wait(5)
        for pump in self._pumps:
            pump.join(5)

    def result(self, seconds=20):
        self.final = self.until("result", seconds)
        self.seconds = time.monotonic() - self.started
        self.finish()
        return self.final["result"]

    def texts(self):
        return [line["text"] for line in self.lines if "text" in line]


def start_peer(bus, *arguments):
    """A hostile owner of the broker's name, under the account that may own it: see peer.py."""
    command = [sys.executable, str(WORK / "peer.py"), bus.socket, *arguments]
    # It tells of every call, and nobody reads before the end: of a thousand, for the longest test.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, pipesize=1 << 20, text=True, user="peerauth")
    assert process.stdout.readline().strip() == "ready"
    return process


def calls(peer, until=None):
    """Ends a peer and returns the names of the calls that it got. until: a call that may still be on its way, for the
    module does not wait for it to be read."""
    names, limit = [], threading.Timer(10, peer.terminate)
    limit.start()
    while until and until not in names and (line := peer.stdout.readline()):
        names.append(line.split(" ", 1)[0])
    limit.cancel()
    return names + [name for name, _ in calls_with_arguments(peer)]


def calls_with_arguments(peer):
    """The same, each with the list of its arguments."""
    peer.terminate()
    lines = [line.split(" ", 1) for line in peer.stdout.read().splitlines()]
    return [(name, json.loads(arguments)) for name, arguments in lines]
