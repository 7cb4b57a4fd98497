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
GUIDE_FILE = "/run/peerauth-guide"
SSH = (f"ssh -p {workstation.SSH_PORT} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
       "-o LogLevel=ERROR alice@127.0.0.1")
ALICE = f"""
while read -rp $'\\nEnter: log in as alice over ssh (password: {workstation.PASSWORD}) ' _; do
    {SSH} || echo "ssh ended with status $?"
done
"""
GUIDE = """\
 A shared workstation, and a login that needs a colleague.
 {move}

  alice  logs in over ssh: press Enter there, then the password; read the code
  bob    is a reviewer; the shipped rule wants two of them
  dave   is an administrator; his word alone is enough
  root   is here
 While alice waits, in dave's shell:
  peerauthctl                  who waits?
  peerauthctl approve alice    then type the code that alice reads out
  peerauthctl deny alice --note "not at her desk"
 Then try a wrong code, Ctrl-C at alice's, bob approving himself (su - bob),
 and here, as root:
  peerauthctl ledger verify; peerauthctl status
  journalctl -u peerauth-broker
 The rules: /usr/lib/peerauth/peerauth.conf. Yours: /etc/peerauth/peerauth.conf
 Accounts: alice erin (ordinary), bob carol (reviewers), dave (administrator)
 Password of all: {password}

 Ctrl-D or `exit` here ends the host; nothing is left of it.
"""


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", SOCKET, *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def place(how, title, command):
    """Puts a command into a pane or, where the terminal is small, a window; its name for tmux."""
    name = tmux(*how, "-d", "-P", "-F", "#{pane_id}", command)
    tmux("select-pane", "-t", name, "-T", title)
    return name


def bind_keys(wide):
    for key in ("Left", "Right", "Up", "Down"):
        move = ["select-pane", f"-{key[0]}"] if wide else ["next-window" if key in "Right Down" else "previous-window"]
        tmux("bind-key", "-n", f"M-{key}", *move)


def set_options(wide):
    for option in (("mouse", "on"), ("status", "off" if wide else "on"), ("status-right", ""),
                   ("pane-border-status", "top" if wide else "off"), ("pane-border-format", " #{pane_title} "),
                   ("window-status-format", " #{pane_title} "), ("status-left", ""),
                   ("window-status-current-format", "[#{pane_title}]"), ("default-terminal", "screen-256color")):
        tmux("set-option", "-g", *option)


def lay_out(columns, lines):
    """alice and root on the left, bob and dave on the right; or one window each."""
    wide = columns >= 158 and lines >= 52
    move = "Alt+arrow or the mouse goes to the other " + ("panes." if wide else "people, named below.")
    with open(GUIDE_FILE, "w", encoding="utf-8") as file:
        file.write(GUIDE.format(move=move, password=workstation.PASSWORD))
    size = ("-x", str(columns), "-y", str(lines))
    window = ("new-window",)
    alice = place(("-f", "/dev/null", "new-session", *size), "alice's laptop", f"bash -c {shlex.quote(ALICE)}")
    set_options(wide)
    bind_keys(wide)
    shell = f"clear; cat {GUIDE_FILE}; bash -i; tmux -L {SOCKET} kill-server"
    root = place(("split-window", "-v", "-l", "60%", "-t", alice) if wide else window, "root", shell)
    # -f: already authenticated. Their own logins are not what is shown, and would wait for each other.
    place(("split-window", "-h", "-t", alice) if wide else window, "bob, reviewer", "login -f bob")
    place(("split-window", "-h", "-t", root) if wide else window, "dave, administrator", "login -f dave")
    if not wide:
        tmux("select-window", "-t", root)
    tmux("select-pane", "-t", root)


def main():
    os.environ["TMUX_TMPDIR"] = "/run"
    workstation.add_people()
    for name in workstation.PEOPLE:
        open(f"/home/{name}/.hushlogin", "w", encoding="utf-8").close()
    workstation.start_sshd()
    workstation.enable_module()
    lay_out(*os.get_terminal_size(0))
    subprocess.run(["tmux", "-L", SOCKET, "attach"], check=False)
    # The last shell ended the server; one that still runs could not use this terminal.
    left = subprocess.run(["tmux", "-L", SOCKET, "has-session"], check=False, stderr=subprocess.DEVNULL)
    return 1 if left.returncode == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
