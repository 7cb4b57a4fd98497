# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the host tests act with and judge by: people at terminals, the ledger and the journal from a moment on.

Runs inside the disposable host as root, beside workstation.py. Verdicts come from the front end (exit status,
its own log line of PAM's answer) and from the ledger, never from what our programs say about themselves alone.
"""

import io
import json
import pathlib
import re
import shlex
import time

import pexpect
import workstation as w

# What pam_strerror(3) of Linux-PAM says; login(1) and su(1) log it as PAM's answer, sshd only sometimes.
PERM_DENIED = "Permission denied"
AUTH_ERR = "Authentication failure"
AUTHINFO_UNAVAIL = "Authentication service cannot retrieve authentication info"
MAXTRIES = "Have exhausted maximum number of retries for service"
CONV_ERR = "Conversation error"

REFUSED, GONE = 4, 3  # exit statuses of peerauthctl(1)
SSH_FAILED = 255  # ssh(1): an error occurred; everything else is the remote command's
ERROR = "org.peerauth.PeerAuth1.Error."
WITHIN = 2.0  # seconds in which a login that went away must be cancelled (attack A14)

# Reviewers come and go at the console of these tests as they need; all else stands under the shipped rules.
BASE_POLICY = """\
[Rule reviewers-console]
Service=login
User=bob carol dave
Action=exempt
"""


def default_rule(**keys):
    """The policy of the tests with the shipped rule `default` replaced, for instance Reviewers='staff:1'."""
    keys = {"Action": "require", "Reviewers": "peerauth-reviewers:2", "Admins": "peerauth-admins", **keys}
    return BASE_POLICY + "[Rule default]\n" + "".join(f"{k}={v}\n" for k, v in keys.items() if v is not None)


class Ledger:
    """The entries that were appended since this object was made."""

    def __init__(self):
        self.first = len(w.ledger())

    def entries(self, kind=None):
        """Of one kind, or all that are about logins; tests change the policy all the time."""
        found = w.ledger()[self.first:]
        return [entry for entry in found if entry["kind"] == kind or (kind is None and entry["kind"] != "policy-changed")]

    def kinds(self):
        return [entry["kind"] for entry in self.entries()]

    def wait(self, kind, seconds=20):
        """The first entry of this kind."""
        return w.wait_for(f"ledger entry {kind}", lambda: self.entries(kind), seconds)[0]


class Journal:
    """The lines that were logged since this object was made."""

    def __init__(self):
        w.run("journalctl", "--sync")
        newest = w.run("journalctl", "--lines=1", "--output=json").stdout
        self.cursor = json.loads(newest)["__CURSOR"]

    def entries(self):
        w.run("journalctl", "--sync")
        lines = w.run("journalctl", "--output=json", f"--after-cursor={self.cursor}").stdout.splitlines()
        # What is not UTF-8 comes as a list of bytes.
        return [entry for entry in map(json.loads, lines) if isinstance(entry.get("MESSAGE"), str)]

    def lines(self):
        return [entry["MESSAGE"] for entry in self.entries()]

    def find(self, *parts):
        """The lines that hold all the parts."""
        return [line for line in self.lines() if all(part in line for part in parts)]

    def wait(self, *parts, seconds=10):
        return w.wait_for(f"journal line with {parts}", lambda: self.find(*parts), seconds)[0]

    def module(self, service="sshd", name="alice"):
        """What the module logged about the one login of this account."""
        prefix = f'pam_peerauth({service}:auth): login of "{name}": '
        self.wait(prefix)
        lines = self.find(prefix)
        assert len(lines) == 1, lines
        return lines[0].split(prefix, 1)[1]


class Person:
    """Somebody with a shell, in a session of their own, at the console (login) or from elsewhere (ssh)."""

    def __init__(self, name, terminal=None):
        self.name = name
        self.log = io.StringIO()
        self.terminal = terminal or w.login(name, self.log)
        self.terminal.child.logfile_read = self.log
        self.terminal.expect(re.escape(f"{name}$ "))
        # Command lines longer than the terminal would be redrawn.
        self.terminal.child.setwinsize(24, 1000)
        self.run("bind 'set enable-bracketed-paste off'; stty -echo")
        self.session, _ = self.run("echo $XDG_SESSION_ID")

    def run(self, line, timeout=20):
        """Output and exit status of a command line."""
        child = self.terminal.child
        self.terminal.send(line + "; echo end-of-command=$?")
        child.expect(r"(?s)^(.*?)end-of-command=(\d+)\r\n", timeout=timeout)
        output, status = child.match.group(1), int(child.match.group(2))
        child.expect_exact(f"{self.name}$ ", timeout=timeout)
        return output.replace("\r\n", "\n").split("\n; echo end-of", 1)[0].strip("\n"), status

    def command(self, line, _name, timeout=20):
        """The same, for workstation.desktop(), which takes a Terminal."""
        return self.run(line, timeout)

    def list(self):
        return json.loads(self.run("peerauthctl list --json=short")[0])

    def approve(self, request, code, note=None):
        """Types `peerauthctl approve`, and the code if it is asked for. Output and exit status."""
        child = self.terminal.child
        line = f"peerauthctl approve {request}" + (f" --note {shlex.quote(note)}" if note else "")
        self.terminal.send(line + "; echo end-of-command=$?")
        ended = r"(?s)^(.*?)end-of-command=(\d+)\r\n"
        if child.expect(["Code that [^\r\n]* told you: ", ended]) == 0:
            self.terminal.send(code)
            child.expect(ended)
        output, status = child.match.group(1), int(child.match.group(2))
        child.expect_exact(f"{self.name}$ ")
        return output, status

    def deny(self, request, note=None):
        return self.run(f"peerauthctl deny {request}" + (f" --note {shlex.quote(note)}" if note else ""))

    def call(self, member, signature="", *arguments, interface="Reviewer"):
        """A method call by this person without our tools: the answer's body, or the name of the error."""
        body = shlex.quote(json.dumps(arguments))
        output, status = self.run(f"bus-call {interface} {member} {shlex.quote(signature)} {body}")
        assert status == 0, output
        answer = json.loads(output.splitlines()[-1])
        return answer["error"] if "error" in answer else answer["body"]

    def call_approve(self, request_id, code):
        return self.call("Approve", "sssa{sv}", request_id, code, "", {})

    def log_out(self):
        number = self.session
        self.terminal.send("exit")
        self.terminal.expect(pexpect.EOF)
        self.terminal.child.close()
        w.wait_for(f"end of session {number}", lambda: number not in [s["Id"] for s in w.sessions(self.name)])


def ended(terminal, timeout=20):
    """The exit status of the program in a terminal; minus the signal if one ended it."""
    terminal.expect(pexpect.EOF, timeout=timeout)
    terminal.child.close()
    child = terminal.child
    return child.exitstatus if child.exitstatus is not None else -child.signalstatus


def screen(terminal):
    """Everything that was shown since the last expect, after the program has ended."""
    return terminal.child.before.replace("\r\n", "\n")


def half_authenticated(name="alice", options=(), enter=True):
    """ssh with the right password that waits for approval: .code, .request (its id) and .shown behind the code."""
    before = {request["id"] for request in w.pending()}
    terminal = w.ssh(name, options=options)
    terminal.read_code()
    terminal.shown = terminal.expect("then wait. ")
    if enter:
        terminal.send()
    return held(terminal, before)


def held(terminal, before=()):
    """Adds the id of the request that a terminal with a code waits for."""
    new = [request["id"] for request in w.pending() if request["id"] not in before]
    assert len(new) == 1, new
    terminal.request = new[0]
    return terminal


def another(code):
    """A code that is not this one."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def seconds_after(entry, moment):
    """How long after moment (time.time()) an entry was written."""
    return entry["time"] / 1e6 - moment


def broker_pid():
    return int(w.run("systemctl", "show", "--property=MainPID", "--value", "peerauth-broker").stdout)


def module_arguments(text):
    """Gives the module in every stack these arguments."""
    path = pathlib.Path("/etc/pam.d/common-auth")
    lines = re.sub(r"pam_peerauth\.so.*", f"pam_peerauth.so {text}", path.read_text())
    path.write_text(lines)


def sshd_settings(text=""):
    """Restarts the listener with these lines before its own; connections that are there stay."""
    path = pathlib.Path("/run/sshd-test.conf")
    base = pathlib.Path("/run/sshd-test.base")
    if not base.exists():
        base.write_text(path.read_text())
    path.write_text(text + "\n" + base.read_text())
    journal = Journal()
    w.run("systemctl", "kill", "--kill-whom=main", "--signal=HUP", "sshd-test")
    journal.wait("Server listening on")


def pause(seconds):
    """For what must not happen; a test that can wait for something waits for that."""
    time.sleep(seconds)
