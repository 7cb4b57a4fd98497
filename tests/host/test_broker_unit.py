# SPDX-License-Identifier: LGPL-2.1-or-later
"""The broker as systemd really runs it: privileges, memory, wake-ups, and the exit statuses of peerauthctl."""

import pathlib
import pwd
import re
import time

import evidence as e
import pytest
import workstation as w

PROC = pathlib.Path("/proc")


def facts(pid):
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.fixture
def broker(host):
    return e.broker_pid()


# ---- privileges ----


def test_runs_without_privileges(broker):
    own, uid = facts(broker), w.run("id", "-u", "peerauth").stdout.strip()
    assert own["Uid"].split() == [uid] * 4
    assert {own[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (own["NoNewPrivs"], own["Seccomp"]) == ("1", "2")
    limits = (PROC / str(broker) / "limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]


def test_cannot_be_read_or_traced_by_its_own_account(broker):
    """Codes and the key are in its memory; another process of user peerauth must not get at them."""
    look = w.run("cat", f"/proc/{broker}/mem", user="peerauth", check=False)
    assert look.returncode == 1 and "Permission denied" in look.stderr


@pytest.mark.parametrize("path", ["/etc/peerauth", "/usr", "/home", "/tmp", "/run"])
def test_can_write_nowhere_but_its_state(broker, path):
    # The mount namespace of the unit, with the account of the broker: by number, for the names are looked up in there.
    account = pwd.getpwnam("peerauth")
    result = w.run("nsenter", f"--target={broker}", "--mount", "--root", "setpriv", f"--reuid={account.pw_uid}",
                   f"--regid={account.pw_gid}", "--clear-groups", "touch", f"{path}/x", check=False)
    own_tmp = path == "/tmp"  # PrivateTmp: its own, empty one
    assert (result.returncode == 0) == own_tmp, result.stderr
    assert own_tmp or re.search("Read-only file system|Permission denied|No such file", result.stderr), result.stderr
    assert not pathlib.Path(f"{path}/x").exists()


def test_has_no_network(broker):
    inside = ["nsenter", f"--target={broker}", "--net", "ip", "-oneline", "link"]
    assert [line.split(":")[1].strip() for line in w.run(*inside).stdout.splitlines()] == ["lo"]
    connect = ["bash", "-c", f"</dev/tcp/127.0.0.1/{w.SSH_PORT}"]
    assert w.run(*connect, check=False).returncode == 0
    assert w.run(*inside[:3], *connect, check=False).returncode == 1, "a loopback interface of its own"


def test_state_folder_is_its_own(broker):
    state = pathlib.Path("/var/lib/peerauth")
    assert (state.owner(), state.stat().st_mode & 0o7777) == ("peerauth", 0o700)
    for file in state.iterdir():
        assert (file.owner(), file.stat().st_mode & 0o7777) == ("peerauth", 0o600), file


def test_hardening_as_systemd_counts_it(broker):
    result = w.run("systemd-analyze", "security", "--no-pager", "peerauth-broker.service", check=False)
    last = result.stdout.strip().splitlines()[-1]
    exposure = float(last.split("peerauth-broker.service: ")[1].split()[0])
    assert exposure <= 1.5, last


# ---- cost ----


def switches(pid):
    return sum(int(line.split()[1]) for task in (PROC / str(pid) / "task").iterdir()
               for line in (task / "status").read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))


def test_sleeps_when_idle(broker):
    e.pause(1.5)  # what a request left to do
    before = switches(broker)
    time.sleep(10)
    assert switches(broker) - before == 0


def test_memory(broker):
    resident = int(facts(broker)["VmRSS"].split()[0])
    assert resident <= 8 * 1024, f"{resident} KiB"


# ---- exit statuses of peerauthctl ----


def ctl(*arguments, user=None):
    return w.run("peerauthctl", *arguments, check=False, user=user)


def test_exit_0_when_all_is_well(broker):
    assert [ctl(*words).returncode for words in (["list"], [], ["status"], ["ledger", "verify"])] == [0] * 4


def test_exit_2_for_a_wrong_command_line(broker):
    for words in (["no-such-verb"], ["approve"], ["list", "--no-such-option"], ["approve", "123456"]):
        result = ctl(*words)
        assert result.returncode == 2 and result.stderr, words


def test_exit_3_for_a_request_that_is_not_there(desk):
    for words in ("approve alice", "deny alice", "show 0123abcd", "approve 0123456789abcdef0123456789abcdef"):
        output, status = desk("dave").run(f"peerauthctl {words}")
        assert status == e.GONE and "peerauthctl list" in output, words


def test_exit_4_for_a_wrong_code(dave):
    alice = e.half_authenticated()
    assert dave.approve("alice", e.another(alice.code))[1] == e.REFUSED


def test_exit_6_without_a_broker(host):
    w.run("systemctl", "mask", "--now", "--runtime", "peerauth-broker", check=False)
    try:
        for words in (["list"], ["status"], ["ledger", "show"]):
            result = ctl(*words)
            assert result.returncode == 6 and "systemctl" in result.stderr, words
    finally:
        w.run("systemctl", "unmask", "--runtime", "peerauth-broker")
        w.run("systemctl", "start", "peerauth-broker")


def test_exit_7_for_an_ordinary_user(broker, tmp_path):
    for words in (["ledger", "export", "--output", "/tmp/stolen"], ["ledger", "show"], ["ledger", "verify"]):
        result = ctl(*words, user="erin")
        assert result.returncode == 7 and result.stdout == "", words
    assert not pathlib.Path("/tmp/stolen").exists()
    assert ctl("status", user="erin").returncode == 0, "whether it works is no secret"


# ---- reload ----


def test_reload_takes_a_new_policy_without_a_restart(policy, broker, journal):
    policy(e.BASE_POLICY)
    path = pathlib.Path("/etc/peerauth/peerauth.conf")
    path.write_text("[Rule nobody-today]\nService=sshd\nAction=deny\n" + e.BASE_POLICY)
    w.run("systemctl", "reload", "peerauth-broker")
    alice = w.ssh("alice")
    assert e.ended(alice) == e.SSH_FAILED
    assert 'rule "nobody-today"' in journal.module()
    assert e.broker_pid() == broker
