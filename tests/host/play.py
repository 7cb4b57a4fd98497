#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The inside of `make play`: four people's terminals side by side, and a guide of what to try.

Runs as root in the disposable host, with the terminal of the person who plays. Nothing is simulated: alice
comes in through sshd, bob and dave have sessions of their own, and the rules are the shipped ones.
"""

import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import workstation  # noqa: E402

SOCKET = "peerauth-play"
SSH = (f"ssh -p {workstation.SSH_PORT} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
       "-o LogLevel=ERROR alice@127.0.0.1")
ALICE = f"""
while read -rp $'\\nEnter: log in as alice over ssh (password: {workstation.PASSWORD}) ' _; do
    {SSH} || echo "ssh ended with status $?"
done
"""
GUIDE = f"""
 A shared workstation, and a login that needs a colleague. Alt+arrow or the mouse changes the pane.

   alice  (top left)      logs in over ssh: press Enter there, type the password, and read the code
   bob    (top right)     a reviewer; the shipped rule wants two of them
   dave   (bottom right)  an administrator; his word alone is enough
   root   (here)

 Try, in dave's pane, while alice waits:   peerauthctl                       who waits?
                                           peerauthctl approve alice         then type alice's code
                                           peerauthctl deny alice --note "not at her desk"
 and: a wrong code; Ctrl-C in alice's pane; bob approving his own login:  su - bob
 Here, as root:    peerauthctl ledger verify     peerauthctl status     journalctl -u peerauth-broker
 The rules are in /usr/lib/peerauth/peerauth.conf; yours go to /etc/peerauth/peerauth.conf.
 Accounts: alice erin (ordinary) bob carol (reviewers) dave (administrator), password: {workstation.PASSWORD}

 Ctrl-D or `exit` here ends the host; nothing is left of it.
"""


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", SOCKET, *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def pane(how, target, title, command):
    """A new pane beside or below `target`; its name for tmux."""
    name = tmux("split-window", "-d", how, "-t", target, "-P", "-F", "#{pane_id}", command)
    tmux("select-pane", "-t", name, "-T", title)
    return name


def lay_out():
    """alice and root on the left, bob and dave on the right."""
    guide = "/run/peerauth-guide"
    with open(guide, "w", encoding="utf-8") as file:
        file.write(GUIDE)
    root = f"clear; cat {guide}; bash -i; tmux -L {SOCKET} kill-server"
    # tmux takes the real size when the person's terminal attaches.
    alice = tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "60", "-P", "-F", "#{pane_id}",
                 f"bash -c {shlex.quote(ALICE)}")
    for option in (("mouse", "on"), ("status", "off"), ("pane-border-status", "top"),
                   ("pane-border-format", " #{pane_title} "), ("default-terminal", "screen-256color")):
        tmux("set-option", "-g", *option)
    for key in ("Left", "Right", "Up", "Down"):
        tmux("bind-key", "-n", f"M-{key}", "select-pane", f"-{key[0]}")
    tmux("select-pane", "-t", alice, "-T", "alice's laptop")
    below = pane("-v", alice, "root", root)
    # -f: already authenticated. Their own logins are not what is shown, and would wait for each other.
    pane("-h", alice, "bob, reviewer", "login -f bob")
    pane("-h", below, "dave, administrator", "login -f dave")
    tmux("select-pane", "-t", below)


def main():
    os.environ["TMUX_TMPDIR"] = "/run"
    workstation.add_people()
    workstation.start_sshd()
    workstation.enable_module()
    lay_out()
    return subprocess.run(["tmux", "-L", SOCKET, "attach"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
