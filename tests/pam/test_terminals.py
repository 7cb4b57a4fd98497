# SPDX-License-Identifier: LGPL-2.1-or-later
"""The module inside real sudo, su and login, in a mount namespace that hides /etc/pam.d and sudoers."""

import os
import shutil

import pexpect
import pytest

import support
from support import gone, not_approvable, pending

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace"),
    pytest.mark.skipif(support.SANITIZED, reason="these programs cannot load a sanitized module"),
]

REQUESTER = "alice"


@pytest.fixture
def terminal(host, bus, folder):
    """Runs a command as REQUESTER or root on a terminal of its own."""
    started = []
    sudoers = folder / "sudoers"
    sudoers.write_text(f"Defaults !lecture\n{REQUESTER} ALL=(ALL) ALL\n")
    sudoers.chmod(0o440)

    def start(service, *command, user=REQUESTER, env=None, options="debug"):
        if not shutil.which(command[0]):
            pytest.skip(f"needs {command[0]}")
        others = [f"{stage} required pam_permit.so" for stage in ("auth", "account", "session")]
        host.stack(f"auth required MODULE {options}", *others, service=service)
        script = """mount --bind "$1" /etc/pam.d
            mount --bind "$2" /etc/sudoers
            mount -t tmpfs none /run
            mkdir /run/sudo
            shift 2
            exec "$@" """
        prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user != "root" else []
        child = pexpect.spawn(
            "unshare",
            ["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]
            + [str(host.services), str(sudoers), *prefix, *command],
            timeout=20,
            encoding="utf-8",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", **(env or {})},
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def read_code(child):
    child.expect(r"Code (\d{3}) (\d{3}): ")
    return child.match.group(1) + child.match.group(2)


SUDO = ("sudo", ["sudo", "echo", "logged-in"], REQUESTER)
SU = ("su", ["su", "-c", "echo logged-in", "-s", "/bin/sh", "root"], REQUESTER)
BOTH = pytest.mark.parametrize("service, command, user", [SUDO, SU], ids=["sudo", "su"])


@BOTH
def test_approved(terminal, broker, service, command, user):
    child = terminal(service, *command, user=user)
    code = read_code(child)
    reviewer = broker.client("bob")
    reviewer.approve(pending(reviewer)["id"], code=code)
    child.expect("Approved by bob")
    child.expect("logged-in")


@BOTH
def test_denied(terminal, broker, service, command, user):
    child = terminal(service, *command, user=user)
    read_code(child)
    reviewer = broker.client("bob")
    reviewer.deny(pending(reviewer)["id"], "no")
    child.expect("Denied by bob")
    assert child.expect(["logged-in", "Code", pexpect.EOF]) != 0


@BOTH
def test_ctrl_c(terminal, broker, service, command, user):
    """The request is taken back, and the program ends as it does at a password prompt (attack A5)."""
    child = terminal(service, *command, user=user)
    code = read_code(child)
    reviewer = broker.client("bob")
    ident = pending(reviewer)["id"]
    for _ in range(3):
        child.sendintr()
    gone(reviewer)
    not_approvable(reviewer, ident, code)
    child.expect(pexpect.EOF, timeout=5)
    assert "logged-in" not in child.before


@BOTH
def test_terminal_closes(terminal, broker, service, command, user):
    child = terminal(service, *command, user=user)
    read_code(child)
    reviewer = broker.client("bob")
    pending(reviewer)
    child.close(force=False)
    gone(reviewer)


@BOTH
def test_hostile_environment(terminal, broker, service, command, user, folder):
    """Nothing that the caller sets reaches the module (attack A9)."""
    hostile = {
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/nowhere",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/nowhere",
        "DBUS_STARTER_ADDRESS": f"unix:path={folder}/nowhere",
        "SYSTEMD_BUS_TIMEOUT": "1us",
        "SYSTEMD_LOG_LEVEL": "debug",
        "XDG_RUNTIME_DIR": str(folder),
        "HOME": str(folder),
        "LD_PRELOAD": str(support.FAULTS),
        "LC_ALL": "tr_TR.UTF-8",
        "LANGUAGE": "../../x",
    }
    child = terminal(service, *command, user=user, env=hostile)
    code = read_code(child)
    reviewer = broker.client("bob")
    reviewer.approve(pending(reviewer)["id"], code=code)
    child.expect("logged-in")


def test_login_counts_its_own_alarm(terminal, broker, folder):
    """login(1) gives 60 s in all: the wait is shorter, and the person is told so."""
    child = terminal("login", "login", "-p", "root", user="root")
    child.expect(r"Valid (\d+) s\.")
    assert 45 <= int(child.match.group(1)) <= 52  # 60 - margin 5 - slack 3


def test_terminal_of_login_closes(terminal, broker):
    child = terminal("login", "login", "-p", "root", user="root")
    read_code(child)
    reviewer = broker.client("bob")
    pending(reviewer)
    child.close(force=False)
    gone(reviewer)


LOGIN = ("login", ["login", "-p", "root"], "root")
ALL = pytest.mark.parametrize("service, command, user", [SUDO, SU, LOGIN], ids=["sudo", "su", "login"])


@ALL
def test_recovery_code(terminal, peer, service, command, user):
    owner = peer("recovery-alone", "hold", "ok", "wrong,ok>recovered")
    child = terminal(service, *command, user=user)
    child.expect("Recovery code, or Enter to wait: ")
    child.sendline("735129")
    child.expect("That code is wrong, or was used before.")
    child.expect("Recovery code, or Enter to wait: ")
    child.sendline("8k3v0qwx7n2pabcd")
    child.expect("Approved by a recovery code.")
    calls = support.calls_with_arguments(owner)
    assert [words[1] for name, words in calls if name == "Redeem"] == ["735129", "8K3V-0QWX-7N2P-ABCD"]


@ALL
@pytest.mark.parametrize("how", ["sendintr", "sendeof"])
def test_given_up_where_recovery_is_offered(terminal, peer, service, command, user, how):
    """Ctrl-C and Ctrl-D: refused, and the request is gone."""
    owner = peer("recovery-alone", "hold", "ok", "ok>recovered")
    child = terminal(service, *command, user=user)
    child.expect("Recovery code, or Enter to wait: ")
    getattr(child, how)()
    assert child.expect(["logged-in", "Approved", pexpect.EOF, "login: $"], timeout=10) >= 2
    assert "Redeem" not in support.calls(owner)


@BOTH
def test_ctrl_c_while_a_code_is_checked(terminal, peer, service, command, user):
    owner = peer("recovery-alone", "hold", "ok", "silence")
    child = terminal(service, *command, user=user)
    child.expect("Recovery code, or Enter to wait: ")
    child.sendline("735129")
    for line in owner.stdout:
        if line.startswith("Redeem"):
            break
    child.sendintr()
    child.expect(pexpect.EOF, timeout=5)
    assert "logged-in" not in child.before
