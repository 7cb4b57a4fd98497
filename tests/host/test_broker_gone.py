# SPDX-License-Identifier: LGPL-2.1-or-later
"""The broker is absent, masked, frozen, killed or restarted (attack A2); and the ways back in."""

import os
import pathlib
import re
import signal
import time

import evidence as e
import pytest
import workstation as w

SORRY = "the approval service does not answer."


@pytest.fixture(autouse=True)
def broker_again(host, request):
    """Whatever a test did to it, the next one finds it running."""
    yield
    w.run("systemctl", "unmask", "--runtime", "peerauth-broker")
    if e.broker_pid():
        os.kill(e.broker_pid(), signal.SIGCONT)
    w.run("systemctl", "start", "peerauth-broker")


@pytest.fixture
def masked(host):
    w.run("systemctl", "mask", "--now", "--runtime", "peerauth-broker", check=False)
    assert e.broker_pid() == 0


def refused_over_ssh(within):
    began = time.monotonic()
    alice = w.ssh("alice")
    assert e.ended(alice, timeout=within + 10) == e.SSH_FAILED
    assert time.monotonic() - began < within
    assert SORRY in e.screen(alice)


def test_masked_broker_denies_at_once(masked, journal):
    refused_over_ssh(within=10)
    assert "masked" in journal.module()
    priorities = [entry["PRIORITY"] for entry in journal.entries() if "pam_peerauth" in entry["MESSAGE"]]
    assert priorities == ["3"], "broker trouble is an error in the log"


def test_masked_broker_denies_at_the_console(masked, journal):
    alice = w.login("alice")
    alice.expect(SORRY)
    assert re.search(e.AUTHINFO_UNAVAIL, journal.wait("FAILED LOGIN (1)", "FOR 'alice'"))
    assert not w.sessions("alice")
    alice.hang_up()


def test_stopped_broker_is_started_by_the_login(host, dave):
    w.run("systemctl", "stop", "peerauth-broker")
    alice = w.ssh("alice", options=["-o", "RemoteCommand=true"])
    alice.read_code()
    alice.send()
    assert dave.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0


def test_bus_file_and_unit_missing(host, journal):
    """The package is half removed: nothing could start the broker."""
    w.run("systemctl", "stop", "peerauth-broker")
    files = ["/usr/share/dbus-1/system-services/org.peerauth.PeerAuth1.service",
             "/lib/systemd/system/peerauth-broker.service"]
    for file in files:
        os.rename(file, file + ".away")
    w.run("systemctl", "daemon-reload")
    w.run("systemctl", "reload", "dbus")
    try:
        refused_over_ssh(within=10)
        assert "cannot create the request" in journal.module()
        status = w.run("peerauthctl", "status", check=False)
        assert status.returncode == 6 and "systemctl" in status.stderr
    finally:
        for file in files:
            os.rename(file + ".away", file)
        w.run("systemctl", "daemon-reload")
        w.run("systemctl", "reload", "dbus")


def test_frozen_broker_holds_nobody_for_ever(module_arguments, journal):
    module_arguments("connect=3")
    os.kill(e.broker_pid(), signal.SIGSTOP)
    refused_over_ssh(within=12)
    assert "Timeout" in journal.module()


def test_broker_freezes_during_the_wait(policy, journal):
    policy(e.default_rule(Expires="10s"))
    began = time.monotonic()
    alice = e.half_authenticated()
    os.kill(e.broker_pid(), signal.SIGSTOP)
    try:
        assert e.ended(alice, timeout=30) == e.SSH_FAILED
        assert time.monotonic() - began < 22, "the deadline of the request, and a little"
    finally:
        os.kill(e.broker_pid(), signal.SIGCONT)
    assert SORRY in e.screen(alice)
    assert "cannot wait for the decision" in journal.module()


def test_killed_during_the_wait(journal, dave):
    alice = e.half_authenticated()
    old = e.broker_pid()
    moment = time.monotonic()
    os.kill(old, signal.SIGKILL)
    journal.wait("pam_peerauth(sshd:auth)", "learn the decision", seconds=e.WITHIN)
    assert time.monotonic() - moment < e.WITHIN
    assert e.ended(alice) == e.SSH_FAILED and SORRY in e.screen(alice)
    # systemd has started it again; what waited before is unknown to the new one.
    w.wait_for("new broker", lambda: e.broker_pid() not in (0, old))
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "NoSuchRequest"
    assert w.pending() == []
    again = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    assert dave.approve("alice", again.code)[1] == 0
    assert e.ended(again) == 0


def test_restart_voids_what_waits(dave, ledger):
    alice = e.half_authenticated()
    w.run("systemctl", "restart", "peerauth-broker")
    assert e.ended(alice) == e.SSH_FAILED
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "NoSuchRequest"
    assert ledger.kinds() == ["request-created", "decision", "broker-stopped", "broker-started"]
    assert ledger.entries("decision")[0]["outcome"] == "denied"


def test_stranger_cannot_take_the_name(masked, journal):
    """Attack B7: while the broker is away somebody else offers to answer."""
    taken = w.run("/usr/bin/python3", "-c", "from jeepney.io.blocking import open_dbus_connection as c\n"
                  "from jeepney.bus_messages import message_bus as b\n"
                  "print(c('SYSTEM').send_and_get_reply(b.RequestName('org.peerauth.PeerAuth1')).body)",
                  user="erin")
    assert "not allowed to own" in taken.stdout
    refused_over_ssh(within=10)


# ---- the ways back in: each works while the broker is masked ----


def test_root_at_the_console_waits_like_everybody(masked):
    """Not a way back in: the rules are the broker's to read, so its exemptions are gone with it."""
    w.run("chpasswd", stdin=f"root:{w.PASSWORD}\n")
    root = w.login("root")
    root.expect(SORRY)
    root.hang_up()


def test_way_back_rescue_shell(masked):
    """`systemd.unit=rescue.target` ends in sulogin(8), which asks for root's password without PAM."""
    w.run("chpasswd", stdin=f"root:{w.PASSWORD}\n")
    root = w.Terminal("/sbin/sulogin", [])
    root.expect("password for maintenance")
    root.send(w.PASSWORD)
    root.expect("# ")
    root.send("id -u; exit")
    assert "\r0\r\n" in root.expect("exit\r\n") + root.expect(w.pexpect.EOF)
    root.hang_up()


def test_a_key_is_no_way_past_a_broker_that_is_gone(masked, tmp_path):
    """The account line fails closed, for root as well: that is why there is a sample of another sshd."""
    assert root_by_key(tmp_path, w.SSH_PORT, "/root/.ssh/authorized_keys").returncode == e.SSH_FAILED


def root_by_key(folder, port, keys):
    key = folder / "key"
    w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    w.run("install", "-D", "-m", "0600", f"{key}.pub", keys)
    try:
        return w.run("ssh", "-p", str(port), "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-o",
                     "UserKnownHostsFile=/dev/null", "-i", str(key), "root@127.0.0.1", "id -u", check=False)
    finally:
        os.unlink(keys)


def test_way_back_rescue_sshd(masked, tmp_path):
    """The shipped sample, with another port, for the first sshd has its own here."""
    w.run("usermod", "--password", "*", "root")
    sample = pathlib.Path("/usr/share/doc/peerauth/peerauth-rescue-sshd.conf").read_text()
    config = pathlib.Path("/run/sshd_rescue_config")
    config.write_text(sample.replace("Port 2222", "Port 2299"))
    w.run("systemd-run", "--unit=sshd-rescue", "/usr/sbin/sshd", "-D", "-e", "-f", str(config))
    try:
        w.wait_for("the rescue sshd", lambda: w.run("ssh-keyscan", "-p", "2299", "127.0.0.1", check=False).stdout)
        result = root_by_key(tmp_path, 2299, "/etc/ssh/rescue_keys")
        assert (result.returncode, result.stdout) == (0, "0\n"), result.stderr
        alice = w.run("ssh", "-p", "2299", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-o",
                      "UserKnownHostsFile=/dev/null", "alice@127.0.0.1", "true", check=False)
        assert alice.returncode == e.SSH_FAILED, "nobody but root"
    finally:
        w.run("systemctl", "stop", "sshd-rescue")


def test_way_back_remove_the_profile(masked):
    """What to type once there is a root shell: logins work at once, without the broker."""
    before = pathlib.Path("/etc/pam.d/common-auth").read_text()
    w.run("pam-auth-update", "--package", "--remove", "peerauth", "peerauth-session")
    try:
        assert not [p for p in pathlib.Path("/etc/pam.d").iterdir() if "pam_peerauth" in p.read_text()]
        alice = w.ssh("alice", options=["-o", "RemoteCommand=exit 7"])
        assert e.ended(alice) == 7
    finally:
        w.enable_module()
    assert pathlib.Path("/etc/pam.d/common-auth").read_text() == before
