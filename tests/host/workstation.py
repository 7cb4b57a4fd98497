# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disposable host made into a shared workstation: accounts, people who log in, and what they see.

Runs inside the host, as root, for the demo and the host tests. People are real: each has a terminal with
login(1) or ssh in it, and a logind session that came from there. Nothing here knows how the broker works.
"""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import time

import pexpect

PASSWORD = "correct horse"
SSH_PORT = 2222
KNOWN_HOSTS = pathlib.Path("/run/sshd-test.known_hosts")
# Account: the groups that make the person what the comment says.
PEOPLE = {
    "alice": [],                      # logs in
    "bob": ["peerauth-reviewers"],    # reviewer with a desktop
    "carol": ["peerauth-reviewers"],  # reviewer on a terminal
    "dave": ["peerauth-admins"],      # administrator
    "erin": [],                       # neither
}
CODE = re.compile(r"\b(\d{3} \d{3})\b")


def run(*command, check=True, user=None, stdin=None, env=None):
    """The finished process of a command, run as root or as user (without a login session)."""
    if user:
        command = ("setpriv", "--reuid", user, "--regid", user, "--init-groups", *command)
    return subprocess.run(command, check=check, text=True, input=stdin, capture_output=True,
                          env={**os.environ, **env} if env else None)


def wait_for(what, condition, seconds=20):
    """What condition() returns once it is true; an error that names `what` if that takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def add_people():
    for name, groups in PEOPLE.items():
        run("useradd", "--create-home", "--shell", "/bin/bash", "--groups", ",".join(groups), name)
        run("chpasswd", stdin=f"{name}:{PASSWORD}\n")
        # A prompt that tests can wait for.
        pathlib.Path(f"/home/{name}/.bashrc").write_text(f"PS1='{name}$ '\nunset PROMPT_COMMAND\n")
    run("usermod", "--append", "--groups", "sudo", "alice")


def write_policy(text):
    """Puts /etc/peerauth/peerauth.conf in force."""
    path = pathlib.Path("/etc/peerauth/peerauth.conf")
    path.write_text(text)
    path.chmod(0o644)
    loads = policy_loads()
    run("systemctl", "kill", "--signal=HUP", "peerauth-broker")
    wait_for("policy read again", lambda: policy_loads() > loads)


def policy_loads():
    """How often the broker has read its policy, with success or without."""
    return len(re.findall(r"^(policy \S+ with|the policy was refused)", journal("peerauth-broker"), re.M))


def status():
    return json.loads(run("peerauthctl", "status", "--json=short").stdout)


def enable_module():
    """What an administrator does to turn it on."""
    run("pam-auth-update", "--package", "--enable", "peerauth", "peerauth-session")


def start_sshd():
    """A real sshd on the loopback address, with the shipped drop-in."""
    run("ssh-keygen", "-A")
    config = pathlib.Path("/run/sshd-test.conf")
    drop_in = pathlib.Path("/usr/share/doc/peerauth/peerauth-sshd.conf").read_text()
    config.write_text(f"Port {SSH_PORT}\nListenAddress 127.0.0.1\nPidFile none\n{drop_in}\n"
                      "PrintMotd no\nPrintLastLog no\n")
    os.makedirs("/run/sshd", exist_ok=True)
    run("systemd-run", "--unit=sshd-test", "/usr/sbin/sshd", "-D", "-e", "-f", str(config))
    keys = wait_for("sshd", lambda: run("ssh-keyscan", "-t", "ed25519", "-p", str(SSH_PORT), "127.0.0.1",
                                        check=False).stdout)
    KNOWN_HOSTS.write_text(keys)


class Terminal:
    """One person at one terminal. `log`, if given, gets everything that appears there."""

    def __init__(self, command, args, log=None, timeout=20, env=None):
        self.child = pexpect.spawn(command, args, encoding="utf-8", codec_errors="replace", timeout=timeout,
                                   dimensions=(24, 100), env={**os.environ, "TERM": "dumb", **(env or {})})
        self.child.delaybeforesend = None
        self.child.logfile_read = log
        self.code = None

    def expect(self, pattern, timeout=-1):
        self.child.expect(pattern, timeout=timeout)
        return self.child.before + (self.child.after if isinstance(self.child.after, str) else "")

    def send(self, line=""):
        self.child.send(line + "\r")

    def read_code(self, timeout=-1):
        """Waits for the code that is shown, and keeps it as six digits."""
        self.child.expect(CODE, timeout=timeout)
        self.code = self.child.match.group(1).replace(" ", "")
        return self.code

    def command(self, line, user, timeout=-1):
        """Runs a command in this person's shell; its output and exit status."""
        self.send(line + "; echo status=$?")
        self.child.expect(r"\r\nstatus=(\d+)\r\n", timeout=timeout)
        output = self.child.before.split("\r\n", 1)
        status_ = int(self.child.match.group(1))
        self.child.expect_exact(f"{user}$ ", timeout=timeout)
        return (output[1] if len(output) > 1 else "").replace("\r\n", "\n"), status_

    def hang_up(self):
        self.child.close(force=True)


def login(name, log=None, password=PASSWORD):
    """login(1) on a terminal, up to the point where the password is sent."""
    terminal = Terminal("/bin/login", [name], log)
    terminal.expect("Password: ")
    terminal.send(password)
    return terminal


def logged_in(name, log=None):
    """A person with a shell: a local session that no rule held."""
    terminal = login(name, log)
    terminal.expect(re.escape(f"{name}$ "))
    wait_for(f"session of {name}", lambda: sessions(name))
    return terminal


def ssh(name, log=None, password=PASSWORD, options=()):
    """ssh to the test sshd, up to the point where the password is sent."""
    terminal = Terminal("/usr/bin/ssh", ["-p", str(SSH_PORT), "-o", f"UserKnownHostsFile={KNOWN_HOSTS}",
                                         "-o", "NumberOfPasswordPrompts=1", *options, f"{name}@127.0.0.1"], log)
    terminal.expect("Password: ")
    terminal.send(password)
    return terminal


def sessions(name):
    """logind's sessions of class user for this person."""
    found = []
    for line in run("loginctl", "list-sessions", "--no-legend").stdout.splitlines():
        number, _uid, user = line.split()[:3]
        if user == name:
            shown = run("loginctl", "show-session", number, check=False).stdout
            facts = dict(pair.split("=", 1) for pair in shown.splitlines() if "=" in pair)
            if facts.get("Class") == "user":
                found.append(facts)
    return found


def approve(reviewer, name, requester, code, note=None):
    """A reviewer types `peerauthctl approve` and then the code, at a terminal."""
    line = f"peerauthctl approve {requester}"
    if note:
        line += f" --note {shlex.quote(note)}"
    reviewer.send(line + "; echo status=$?")
    reviewer.expect("(?i)code[^\r\n]*: ?$")
    reviewer.send(code)
    reviewer.child.expect(r"status=(\d+)\r\n")
    output, status_ = reviewer.child.before, int(reviewer.child.match.group(1))
    reviewer.expect(re.escape(f"{name}$ "))
    return output, status_


def pending():
    """Requests as root sees them."""
    return json.loads(run("peerauthctl", "list", "--json=short").stdout)


def ledger():
    """Every entry, oldest first."""
    lines = run("peerauthctl", "ledger", "export", "--format=jsonl", "--output", "-").stdout
    return [json.loads(line) for line in lines.splitlines()]


def journal(unit=None):
    return run("journalctl", "--no-pager", "--output=cat", *(["--unit", unit] if unit else [])).stdout


DUNSTRC = pathlib.Path(__file__).resolve().parent.parent / "desktop" / "dunstrc"


def click(display, button):
    """A click on the notification, and on one of its buttons: dunst offers them in a menu (dmenu)."""
    def xdotool(*args):
        return run("xdotool", *args, check=False, env={"DISPLAY": display}).stdout.strip()

    def menu():
        return xdotool("search", "--onlyvisible", "--class", "dmenu")

    xdotool("mousemove", "700", "60", "click", "1")
    wait_for("the menu of buttons", menu)
    time.sleep(0.3)  # until dmenu has the keyboard, which nothing tells
    xdotool("type", button)
    xdotool("key", "Return")
    wait_for("the menu to close", lambda: not menu())


@contextlib.contextmanager
def desktop(person, name, display=":7", dunstrc=DUNSTRC):
    """Xvfb, dunst and the notifier in a logged-in person's own session."""
    run("mkdir", "-p", "/tmp/.X11-unix")
    run("chmod", "1777", "/tmp/.X11-unix")
    person.command(f"export DISPLAY={display}", name)
    person.command(f"(Xvfb {display} -screen 0 900x420x24 -nolisten tcp -ac >/tmp/xvfb.log 2>&1 &)", name)
    wait_for("X server", lambda: run("xdpyinfo", "-display", display, check=False).returncode == 0)
    config = ""
    if dunstrc:
        # A copy: the checkout may lie where only root can read.
        shutil.copy(dunstrc, "/run/dunstrc")
        config = " -config /run/dunstrc"
    person.command(f"(dunst{config} >/tmp/dunst.log 2>&1 &)", name)
    person.command("(/usr/libexec/peerauth/peerauth-notifier >/tmp/notifier.log 2>&1 &)", name)
    wait_for("notifier", lambda: status()["subscribers"] > 0)
    yield display
