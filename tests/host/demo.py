#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The story of `make demo`: six logins and what became of them, told on the terminal as it happens.

Everything is real: sshd, login(1), logind, dunst under Xvfb, the installed programs under their systemd unit.
A step that does not end as told stops the demo with an error.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import workstation as w  # noqa: E402

OUTPUT = pathlib.Path(os.environ["HOST_OUTPUT"])
POLICY = """\
# Who may approve what in this demo; peerauth.conf(5) has every key.
[Rule lab-ssh]
Service=sshd
User=alice
Action=require
Reviewers=peerauth-reviewers:1
Admins=peerauth-admins
Code={code}
Expires={expires}
"""


class Story:
    """Prints the transcript: narration flush left, terminals behind a bar with the person's name."""

    def __init__(self):
        self.started = time.monotonic()
        self.letter = ord("a")

    def chapter(self, title):
        print(f"\n\033[1m({chr(self.letter)}) {title}\033[0m" if sys.stdout.isatty() else
              f"\n({chr(self.letter)}) {title}")
        self.letter += 1

    @staticmethod
    def say(text):
        print(f"    {text}", flush=True)

    @staticmethod
    def screen(name, text):
        for line in text.replace("\r", "").strip("\n").split("\n"):
            print(f"  {name:>6} | {line}".rstrip(), flush=True)

    def heading(self, title):
        print(f"\n{title}", flush=True)


class Log:
    """What appeared on one terminal since it was last asked."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        """A file's method that pexpect calls; there is nothing to do."""

    def take(self):
        text, self.text = self.text, ""
        # Lines of the message of the day are not part of the story.
        return "\n".join(line for line in text.replace("\r", "").split("\n")
                         if line.strip() and "Debian" not in line and not re.match(
                             r"Linux |the exact|individual files|permitted by|.*echo status=|status=|The programs",
                             line))


story = Story()


def check(what, condition):
    if not condition:
        raise SystemExit(f"demo: {what}: not so")


def rules(code, expires="5min"):
    w.write_policy(POLICY.format(code=code, expires=expires))


def alice_connects(log):
    """ssh with the password, up to the code; then Enter, as the prompt says."""
    alice = w.ssh("alice", log)
    alice.read_code()
    alice.expect("then wait")
    alice.send()
    return alice


def ended(alice):
    alice.expect(w.pexpect.EOF, timeout=30)
    alice.child.close()
    return alice.child.exitstatus


def shot(display, name):
    path = OUTPUT / name
    w.run("import", "-display", display, "-window", "root", str(path))
    return path.name


def click_story(bob, display):
    story.chapter("Approved by a click. The rule says Code=compare, so the notification has an Approve button")
    rules("compare")
    log = Log()
    alice = alice_connects(log)
    w.wait_for("notification", lambda: notification_shown(bob))
    story.screen("alice", log.take())
    story.say(f"bob's desktop shows it: {shot(display, '1-notification.png')}")
    w.click(display, "Approve")
    alice.expect("alice\\$ ")
    story.say("bob clicks Approve.")
    story.screen("alice", log.take())
    alice.hang_up()


def notification_shown(bob):
    count, _ = bob.command("dunstctl count displayed", "bob")
    return count.strip() not in ("", "0")


def typed_story(dave, dave_log):
    story.chapter("Approved with the code. The rule says Code=enter: the broker tells the code to nobody but alice")
    rules("enter")
    log = Log()
    alice = alice_connects(log)
    story.screen("alice", log.take())
    story.say(f"alice calls dave and reads it to him: {alice.code[:3]} {alice.code[3:]}")
    dave_log.take()
    _, status = w.approve(dave, "dave", "alice", alice.code, note="alice called from the lab")
    check("approve", status == 0)
    story.screen("dave", dave_log.take())
    alice.expect("alice\\$ ")
    story.screen("alice", log.take())
    alice.hang_up()


def wrong_code_story(dave, dave_log):
    story.chapter("A wrong code. dave mistypes; then he types it right")
    log = Log()
    alice = alice_connects(log)
    story.screen("alice", log.take())
    wrong = f"{(int(alice.code) + 1) % 1000000:06d}"
    dave_log.take()
    _, status = w.approve(dave, "dave", "alice", wrong)
    check("a wrong code is refused", status == 4)
    _, status = w.approve(dave, "dave", "alice", alice.code)
    check("the right one still counts", status == 0)
    story.screen("dave", dave_log.take())
    alice.expect("alice\\$ ")
    story.screen("alice", log.take())
    alice.hang_up()


def denied_story(dave, dave_log):
    story.chapter("Denied with a note. It needs no code")
    log = Log()
    alice = alice_connects(log)
    log.take()
    dave_log.take()
    dave.command("peerauthctl deny alice --note 'The lab is closed today; see me.'", "dave")
    check("ssh ends", ended(alice) != 0)
    story.screen("dave", dave_log.take())
    story.screen("alice", log.take())


def expired_story():
    story.chapter("Left to expire. Nobody answers; this rule gives ten seconds")
    rules("enter", "10s")
    log = Log()
    alice = alice_connects(log)
    story.screen("alice", log.take())
    check("ssh ends", ended(alice) != 0)
    story.screen("alice", log.take())


def interrupted_story(dave, dave_log):
    story.chapter("Ctrl-C. alice gives up, and dave finds nothing left to approve")
    rules("enter")
    log = Log()
    alice = alice_connects(log)
    w.wait_for("the request", w.pending)
    alice.child.sendintr()
    w.wait_for("the request is withdrawn", lambda: not w.pending())
    alice.hang_up()
    dave_log.take()
    _, status = dave.command("peerauthctl list; peerauthctl approve alice", "dave")
    check("nothing to approve", status == 3)
    story.screen("dave", dave_log.take())


def ledger_story():
    story.heading("The ledger: what the auditor sees")
    print(w.run("peerauthctl", "ledger", "show").stdout)
    story.say("$ peerauthctl ledger export --output ledger.db")
    export = OUTPUT / "ledger.db"
    print(w.run("peerauthctl", "ledger", "export", "--output", str(export)).stdout, end="")
    story.say("$ peerauthctl ledger verify ledger.db")
    print(w.run("peerauthctl", "ledger", "verify", str(export)).stdout)
    story.say("Somebody with a copy turns a denial into an approval, and verifies it:")
    tampered = OUTPUT / "tampered.db"
    for suffix in ("", ".checkpoint", ".vkey"):
        shutil.copy(f"{export}{suffix}", f"{tampered}{suffix}")
    w.run("/usr/bin/python3", "-c", TAMPER, str(tampered))
    result = w.run("peerauthctl", "ledger", "verify", str(tampered), check=False)
    print(result.stdout + result.stderr)
    check("the tampered copy does not verify (exit status 5)", result.returncode == 5)


# The schema is put back as it was, so that only the entry differs.
TAMPER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
for name, _ in triggers:
    db.execute(f"DROP TRIGGER {name}")
db.execute("UPDATE entry SET body = replace(body, '\\"outcome\\":\\"denied\\"', '\\"outcome\\":\\"approved\\"')")
for _, sql in triggers:
    db.execute(sql)
db.commit()
"""


def main():
    story.heading("A shared workstation: bob has a desktop and may review, dave is an administrator, alice logs in by ssh.")
    w.add_people()
    dave_log = Log()
    bob, dave = w.logged_in("bob"), w.logged_in("dave", dave_log)
    w.start_sshd()
    w.enable_module()
    with w.desktop(bob, "bob") as display:
        click_story(bob, display)
        typed_story(dave, dave_log)
        wrong_code_story(dave, dave_log)
        denied_story(dave, dave_log)
        expired_story()
        interrupted_story(dave, dave_log)
    ledger_story()
    story.heading(f"That was everything, in {time.monotonic() - story.started:.0f} s. "
                  "make play gives you this host to try it yourself.")


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, w.pexpect.ExceptionPexpect, subprocess.CalledProcessError) as error:
        print(getattr(error, "stderr", "") or "", file=sys.stderr)
        raise SystemExit(f"demo: {error}") from error
