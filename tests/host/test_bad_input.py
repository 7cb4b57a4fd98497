# SPDX-License-Identifier: LGPL-2.1-or-later
"""What administrators and disks get wrong: denial for the login, and an error that names thing and remedy."""

import os
import pathlib
import re

import evidence as e
import pytest
import workstation as w

CONF = pathlib.Path("/etc/peerauth/peerauth.conf")
STATE = pathlib.Path("/var/lib/peerauth")


def status():
    return w.run("peerauthctl", "status", check=False)


def restart():
    w.run("systemctl", "restart", "peerauth-broker")


def refused_over_ssh(says):
    alice = w.ssh("alice")
    assert e.ended(alice) == e.SSH_FAILED
    assert says in e.screen(alice), e.screen(alice)


def approved_over_ssh(dave):
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    assert dave.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0


# ---- policy ----


@pytest.fixture
def conf(host):
    """The policy file to spoil; afterwards the good one is back in force."""
    yield CONF
    for extra in pathlib.Path("/etc/peerauth/peerauth.conf.d").iterdir():
        extra.unlink()
    CONF.unlink(missing_ok=True)
    CONF.write_text(e.BASE_POLICY)
    CONF.chmod(0o644)
    restart()
    assert w.status()["policy-valid"]


BROKEN = {
    "unknown key": (lambda: CONF.write_text("[Rule a]\nService=sshd\nReviewrs=staff\n"),
                    r"/etc/peerauth/peerauth\.conf:3: .*Reviewrs.*did you mean 'Reviewers'"),
    "bad value": (lambda: CONF.write_text("[Rule a]\nAction=require\nReviewers=staff\nExpires=soon\n"),
                  r"/etc/peerauth/peerauth\.conf:4: .*Expires"),
    "no line": (lambda: CONF.write_text("[Rule a]\nnonsense\n"), r"/etc/peerauth/peerauth\.conf:2: "),
    "drop-in": (lambda: pathlib.Path("/etc/peerauth/peerauth.conf.d/50-x.conf").write_text("[Rule b]\nAction=no\n"),
                r"/etc/peerauth/peerauth\.conf\.d/50-x\.conf:2: "),
    "writable for all": (lambda: CONF.chmod(0o666), r"/etc/peerauth/peerauth\.conf: writable.*chmod"),
    "somebody else's": (lambda: os.chown(CONF, 1001, 0), r"/etc/peerauth/peerauth\.conf: .*root"),
    "a pipe": (lambda: (CONF.unlink(), os.mkfifo(CONF, 0o644)), r"/etc/peerauth/peerauth\.conf: "),
    "unreadable": (lambda: CONF.chmod(0o600), r"/etc/peerauth/peerauth\.conf: .*(ermission|read)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_without_a_valid_policy_every_login_is_denied(conf, ledger, journal, name):
    """Attack A3; and the reason stands where the administrator is sent."""
    spoil, expected = BROKEN[name]
    spoil()
    restart()
    shown = status()
    assert shown.returncode == 1
    assert re.search(expected, shown.stdout) and re.search(expected, shown.stderr), shown.stderr
    if name == "unknown key":
        refused_over_ssh("peerauthctl status")
        assert ledger.entries()[-1]["kind"] == "refused"
        assert any(re.search(expected, line) for line in journal.find("policy was refused"))


def test_broken_new_policy_leaves_the_old_one_in_force(conf, dave):
    CONF.write_text("[Rule a]\nAction=perhaps\n")
    w.run("systemctl", "reload", "peerauth-broker")
    shown = status()
    assert shown.returncode == 1 and "/etc/peerauth/peerauth.conf:2:" in shown.stderr
    approved_over_ssh(dave)


def test_group_that_does_not_exist(policy, ledger, dave):
    policy(e.default_rule(Reviewers="reveiwers:2", Admins=None))
    refused_over_ssh("does not exist on this machine")
    assert [entry["kind"] for entry in ledger.entries()] == ["refused"]
    assert "groupadd" in ledger.entries()[0]["reason"]


# ---- the state folder ----


@pytest.fixture
def small_disk(host):
    """The state folder on a file system of its own, of 256 KiB; the ledger moves there and back."""
    before = w.ledger()
    w.run("systemctl", "stop", "peerauth-broker")
    w.run("cp", "-a", str(STATE), "/run/state")
    w.run("mount", "-t", "tmpfs", "-o", "size=256k,mode=0700,uid=peerauth,gid=peerauth", "small", str(STATE))
    w.run("cp", "-a", "/run/state/.", str(STATE))
    w.run("systemctl", "start", "peerauth-broker")
    yield STATE / "filler"
    w.run("systemctl", "stop", "peerauth-broker")
    (STATE / "filler").unlink(missing_ok=True)
    w.run("cp", "-a", f"{STATE}/.", "/run/state")
    w.run("umount", str(STATE))
    w.run("cp", "-a", "/run/state/.", str(STATE))
    w.run("rm", "-rf", "/run/state")
    w.run("systemctl", "start", "peerauth-broker")
    assert w.ledger()[:len(before)] == before, "nothing is lost"


def fill(path):
    w.run("sh", "-c", f"cat /dev/zero >{path}", check=False)


def test_full_disk(small_disk, journal, dave):
    fill(small_disk)
    refused_over_ssh("the approval service does not answer")
    assert "LedgerUnavailable" in journal.module()
    shown = status()
    assert shown.returncode == 1
    assert "/var/lib/peerauth: cannot write" in shown.stderr
    assert "No space left" in shown.stderr and "free some space" in shown.stderr
    copy = w.run("peerauthctl", "ledger", "verify", check=False)
    assert copy.returncode == 1 and "No space left" in copy.stderr, "a copy for auditors takes space too"
    small_disk.unlink()
    approved_over_ssh(dave)
    assert status().returncode == 0


def test_disk_is_full_at_the_decision(small_disk, journal, dave):
    """The vote cannot be recorded, so it never was: nobody gets in."""
    alice = e.half_authenticated()
    fill(small_disk)
    output, code = dave.approve("alice", alice.code)
    assert code == 1 and "peerauthctl status" in output
    assert e.ended(alice) == e.SSH_FAILED
    assert "LedgerUnavailable" in journal.module()
    small_disk.unlink()
    entries = [entry for entry in w.ledger() if entry.get("request") == alice.request]
    assert [entry["kind"] for entry in entries] == ["request-created"]
    approved_over_ssh(dave)


def test_disk_is_full_when_the_broker_starts(small_disk, dave):
    w.run("systemctl", "stop", "peerauth-broker")
    fill(small_disk)
    w.run("systemctl", "start", "peerauth-broker")
    refused_over_ssh("the approval service does not answer")
    shown = status()
    assert shown.returncode == 1 and "/var/lib/peerauth" in shown.stderr and "free some space" in shown.stderr
    small_disk.unlink()
    w.wait_for("the ledger", lambda: recovered(), 15)


def recovered():
    """Whether a login is held again: the broker tries its ledger every few seconds when somebody asks."""
    alice = w.ssh("alice", options=["-o", "RemoteCommand=true"])
    try:
        alice.read_code(timeout=3)
    except w.pexpect.ExceptionPexpect:
        return False
    finally:
        alice.hang_up()
    return status().returncode == 0


def test_read_only_state_folder(small_disk, journal, dave):
    w.run("systemctl", "stop", "peerauth-broker")
    w.run("mount", "-o", "remount,ro", str(STATE))
    w.run("systemctl", "start", "peerauth-broker")
    refused_over_ssh("the approval service does not answer")
    assert "LedgerUnavailable" in journal.module()
    shown = status()
    assert shown.returncode == 1 and "/var/lib/peerauth" in shown.stderr
    assert "Read-only file system" in shown.stderr and "writable" in shown.stderr
    assert "restart peerauth-broker" in shown.stderr
    w.run("mount", "-o", "remount,rw", str(STATE))
    restart()
    approved_over_ssh(dave)


def test_exempt_logins_work_without_a_ledger(small_disk, desk):
    """Reviewers of these tests are exempt at the console: a full disk must not keep them out."""
    fill(small_disk)
    bob = e.Person("bob")
    bob.log_out()


# ---- the desktop ----


@pytest.fixture
def no_server(bob):
    """Nothing in bob's session shows notifications, and nothing can be started to do it."""
    files = [f for f in pathlib.Path("/usr/share/dbus-1/services").iterdir() if "Notifications" in f.read_text()]
    for file in files:
        file.rename(f"{file}.away")
    reload = "busctl --user call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig"
    assert bob.run(reload)[1] == 0
    yield
    for file in files:
        pathlib.Path(f"{file}.away").rename(file)
    bob.run(reload)


def test_notifier_without_a_server_says_what_to_do_and_stays(no_server, bob):
    log = pathlib.Path("/tmp/no-server.log")
    bob.run(f"/usr/libexec/peerauth/peerauth-notifier >{log} 2>&1 & pid=$!")
    w.wait_for("notifier", lambda: w.status()["subscribers"] > 0)
    alice = e.half_authenticated()
    w.wait_for("remedy", lambda: "start a notification server" in log.read_text())
    assert bob.run("kill -0 $pid")[1] == 0, "it is there when a server comes"
    alice.hang_up()
    bob.run("kill $pid; wait $pid")


def test_notifier_without_a_session_bus_says_what_to_do(bob):
    output, status_ = bob.run("env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR "
                              "/usr/libexec/peerauth/peerauth-notifier")
    assert status_ == 1 and "start this program from a desktop" in output
