# SPDX-License-Identifier: LGPL-2.1-or-later
"""The code is told to the person who logs in and to nobody else, whoever looks wherever (attack C7)."""

import pathlib
import re
import subprocess

import evidence as e
import pytest
import workstation as w

COMPARE = "[Rule compare]\nService=sshd\nAction=require\nReviewers=peerauth-reviewers:1\nAdmins=peerauth-admins\n" \
    "Code=compare\n\n"


# What is older than this host was on the machine before; the file is written when a host is made.
BOOTED = pathlib.Path("/etc/machine-id").stat().st_mtime


def holds(text, code):
    """The six digits, as they are or as people see them; not as a part of a longer number, a hash or base64."""
    spaced = f"{code[:3]} {code[3:]}"
    if code.encode() not in text and spaced.encode() not in text:
        return False
    return re.search(rf"(?<![0-9A-Za-z+/.])({code}|{spaced})(?![0-9A-Za-z+/])".encode(), text) is not None


def processes():
    """What anybody, or only root, can read of every process: arguments, environment and name."""
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            for name in ("cmdline", "environ", "comm"):
                try:
                    yield folder / name, (folder / name).read_bytes()
                except OSError:
                    pass  # it has ended


def files():
    """State, logs, run-time and temporary files, with what the desktop's programs wrote."""
    for top in ("/var/lib/peerauth", "/var/log", "/run", "/tmp", "/var/tmp", "/home", "/etc"):
        for path in pathlib.Path(top).rglob("*"):
            if not path.is_symlink() and path.is_file() and path.suffix != ".journal":
                try:
                    if path.stat().st_mtime >= BOOTED:
                        yield path, path.read_bytes()
                except OSError:
                    pass  # it is gone, or is no file to be read
    yield "journal", w.run("journalctl", "--output=export", "--all").stdout.encode()


def found(code, *sources):
    return [str(where) for source in sources for where, text in source if holds(text, code)]


@pytest.fixture
def desktop(bob):
    with w.desktop(bob, "bob") as display:
        yield display
    bob.run("pkill -x peerauth-notifi; pkill -x dunst; pkill -x Xvfb; wait")


def history(bob):
    return [("dunst", bob.run("dunstctl history; dunstctl history-pop; dunstctl history")[0].encode())]


@pytest.mark.parametrize("rule", ["enter", "compare"])
def test_code_is_nowhere(policy, module_arguments, desktop, desk, bob, dave, rule):
    module_arguments("debug")
    if rule == "compare":
        policy(COMPARE + e.BASE_POLICY)
    alice = e.half_authenticated(options=["-o", "RemoteCommand=sleep 60"])
    w.wait_for("notification", lambda: bob.run("dunstctl count displayed")[0].strip() not in ("", "0"))
    waiting = found(alice.code, processes(), files())
    if rule == "compare":
        desk("carol").run(f"peerauthctl list; peerauthctl approve {alice.request} --yes")
    else:
        dave.approve("alice", e.another(alice.code))
        dave.approve("alice", alice.code)
    assert w.ledger()[-1]["outcome"] == "approved"
    bob.run("dunstctl close-all")
    assert found(alice.code, processes(), files(), history(bob)) == [] == waiting
    assert careless(alice.code) == {"/environ", "/cmdline", "file", "journal"}
    alice.hang_up()


def careless(code):
    """Where the search finds a code that was really given away."""
    path = pathlib.Path("/var/log/careless")
    path.write_text(f"the code is {code[:3]} {code[3:]}.\n")
    w.run("logger", f"code={code}")
    w.run("journalctl", "--sync")
    with subprocess.Popen(["sh", "-c", "/bin/sleep 60; :", code], env={"CODE": code}) as process:
        w.wait_for("its arguments", pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes)
        hits = found(code, processes(), files())
        process.kill()
    path.unlink()
    own = f"/proc/{process.pid}"
    return {hit.replace(own, "").replace(str(path), "file") for hit in hits if hit in (str(path), "journal") or
            hit.startswith(own)}
