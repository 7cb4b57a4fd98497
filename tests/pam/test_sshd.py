# SPDX-License-Identifier: LGPL-2.1-or-later
"""The module inside a real sshd, in a mount namespace that hides /etc/pam.d.

The stack is the module alone: what is tested is the conversation and the wait, not the password. The broker is
the real one, or for the account stage a scripted peer.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pexpect
import pytest
from peerauth_bus import until

import support
from support import gone, not_approvable, pending

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace"),
    pytest.mark.skipif(not shutil.which("sshd"), reason="needs openssh-server"),
    pytest.mark.skipif(support.SANITIZED, reason="sshd cannot load a sanitized module"),
]

SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
UsePAM yes
PermitRootLogin yes
StrictModes no
KbdInteractiveAuthentication yes
PasswordAuthentication {password}
PubkeyAuthentication {keys}
AuthorizedKeysFile {folder}/key.pub
AuthenticationMethods {methods}
PrintMotd no
LoginGraceTime {grace}
ForceCommand echo logged-in; exit 7
LogLevel VERBOSE
"""


def listens_on(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    def __init__(self, host, folder, grace=120, password="no", methods="any", account=False, options=""):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # The module gives no credentials: without a second module pam_setcred() would fail.
        others = [f"{stage} required pam_permit.so" for stage in ("auth", "account", "session")]
        if account:
            others.insert(0, "account [success=ignore ignore=ignore default=die] MODULE debug")
        host.stack(f"auth required MODULE debug {options}", *others, service="sshd")
        config = folder / "sshd_config"
        keys = "yes" if account else "no"
        config.write_text(
            SSHD_CONFIG.format(
                port=self.port, folder=folder, grace=grace, password=password, keys=keys, methods=methods
            )
        )
        self.key = folder / "key"
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        script = """mount --bind "$1" /etc/pam.d
            mount -t tmpfs none /run
            mkdir /run/sshd
            exec "$2" -D -e -f "$3" """
        self.log = folder / "sshd.log"
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh"]
            + [str(host.services), shutil.which("sshd"), str(config)],
            stderr=open(self.log, "w"),
        )
        self.clients = []
        until(lambda: listens_on(self.port), what="sshd")

    def login(self, method="keyboard-interactive"):
        client = pexpect.spawn(
            "ssh",
            ["-F", "none", "-p", str(self.port), "-o", "StrictHostKeyChecking=no"]
            + ["-o", "UserKnownHostsFile=/dev/null", "-o", "NumberOfPasswordPrompts=1"]
            + ["-o", f"PreferredAuthentications={method}", "-o", "IdentitiesOnly=yes"]
            + ["-i", str(self.key), "root@127.0.0.1"],
            timeout=20,
            encoding="utf-8",
        )
        self.clients.append(client)
        return client

    def stop(self):
        for client in self.clients:
            client.close(force=True)
        # The listener; the processes of a connection end with their client.
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def sshd(host, folder):
    started = []

    def start(**keywords):
        started.append(Sshd(host, folder, **keywords))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def read_code(client):
    client.expect(r"Code (\d{3}) (\d{3}): ")
    code = client.match.group(1) + client.match.group(2)
    client.expect("then wait. ")
    return code


def test_approved(sshd, broker):
    client = sshd().login()
    code = read_code(client)
    client.sendline()
    reviewer = broker.client("bob")
    request = pending(reviewer)
    assert (request["service"], request["user"], request["rhost"]) == ("sshd", "root", "127.0.0.1")
    time.sleep(0.5)
    assert reviewer.approve(request["id"], code=code) == ("approved", 0)
    client.expect("logged-in")
    client.expect(pexpect.EOF)
    client.close()
    assert client.exitstatus == 7


def test_approved_before_enter(sshd, broker):
    client = sshd().login()
    code = read_code(client)
    reviewer = broker.client("bob")
    reviewer.approve(pending(reviewer)["id"], code=code)
    client.sendline("anything")
    client.expect("logged-in")


def test_denied(sshd, broker):
    client = sshd().login()
    read_code(client)
    client.sendline()
    reviewer = broker.client("bob")
    reviewer.deny(pending(reviewer)["id"], "no")
    client.expect("Permission denied|Too many authentication failures")
    assert "logged-in" not in client.before


def expect_taken_back(reviewer, ident, code):
    gone(reviewer)
    not_approvable(reviewer, ident, code)


def test_client_vanishes_during_the_wait(sshd, broker):
    """TCP is dropped after Enter, while nobody in sshd reads (attack A14)."""
    client = sshd().login()
    code = read_code(client)
    client.sendline()
    reviewer = broker.client("bob")
    ident = pending(reviewer)["id"]
    time.sleep(1)
    client.kill(signal.SIGKILL)
    expect_taken_back(reviewer, ident, code)


def test_client_vanishes_at_the_prompt(sshd, broker):
    client = sshd().login()
    code = read_code(client)
    reviewer = broker.client("bob")
    ident = pending(reviewer)["id"]
    client.kill(signal.SIGKILL)
    expect_taken_back(reviewer, ident, code)


def connection_process(server):
    """The process of sshd that holds the connection and its grace alarm."""
    text = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout
    return int(re.search(rf"(\d+) +{server.process.pid} sshd: \S+ \[priv\]", text).group(1))


def test_monitor_is_killed_during_the_wait(sshd, broker):
    """The process that asks PAM is its child, and would go on waiting for nobody."""
    server = sshd()
    client = server.login()
    code = read_code(client)
    client.sendline()
    reviewer = broker.client("bob")
    ident = pending(reviewer)["id"]
    time.sleep(0.5)
    os.kill(connection_process(server), signal.SIGKILL)
    expect_taken_back(reviewer, ident, code)


def test_wait_fits_into_the_grace_time(sshd, broker):
    """With grace= as in sshd_config, the module gives up before sshd does, and says so."""
    server = sshd(grace=20, options="grace=20")
    client = server.login()
    client.expect(r"Valid (\d+) s\.")
    assert 8 <= int(client.match.group(1)) <= 12  # 20 - margin 5 - slack 3 - a little
    client.expect("then wait. ")
    client.sendline()
    client.expect("Permission denied|Too many authentication failures|Nobody decided", timeout=25)
    client.expect(pexpect.EOF)
    assert "Timeout before authentication" not in server.log.read_text()


def test_grace_time_runs_out(sshd, broker):
    """An administrator who forgot grace=: sshd ends the login, and the request must go too (attack A14)."""
    client = sshd(grace=8).login()
    code = read_code(client)
    client.sendline()
    reviewer = broker.client("bob")
    ident = pending(reviewer)["id"]
    client.expect(pexpect.EOF)
    expect_taken_back(reviewer, ident, code)


def test_password_method_is_refused_at_once(sshd, broker):
    """It would show the code only after the login: nobody could ever be approved."""
    client = sshd(password="yes").login("password")
    client.expect("assword: ")
    client.sendline("secret")
    started = time.monotonic()
    client.expect("Permission denied|Too many authentication failures")
    assert time.monotonic() - started < 5
    assert broker.client("bob").requests() == ([], 0)


REFUSED = "Permission denied|Too many authentication failures|Connection closed"


def stages(owner):
    """The stage of each request that the peer got: None is the authentication."""
    calls = support.calls_with_arguments(owner)
    return [words[0].get("stage") for name, words in calls if name == "CreateRequest"]


def expect_login(client):
    client.expect("logged-in")
    client.expect(pexpect.EOF)
    client.close()
    assert client.exitstatus == 7


def test_key_alone_is_denied(sshd, peer):
    """It skips the authentication stage; the person sees the broker's words (attack A13)."""
    owner = peer("pending/denied", "approved")
    server = sshd(account=True)
    client = server.login("publickey")
    client.expect(r"This login is not allowed\.\s+No\.")
    client.expect(REFUSED)
    client.expect(pexpect.EOF)
    assert "Code" not in client.before
    assert stages(owner) == ["account"]
    assert "Access denied for user root by PAM account configuration" in server.log.read_text()


def test_key_alone_passes_when_a_rule_exempts_it(sshd, peer):
    owner = peer("denied/exempt", "approved")
    expect_login(sshd(account=True).login("publickey"))
    assert stages(owner) == ["account"]


def test_key_alone_without_a_broker(sshd, bus):
    client = sshd(account=True).login("publickey")
    client.expect("the approval service does not answer")
    client.expect(REFUSED)


@pytest.mark.parametrize(
    "methods", ["publickey,keyboard-interactive:pam", "keyboard-interactive:pam,publickey", "any"]
)
def test_key_and_approval(sshd, peer, methods):
    """The approval in sshd's child process serves the account stage there, once; sshd keeps its result."""
    owner = peer("pending/denied", "approved")
    client = sshd(account=True, methods=methods).login(
        "keyboard-interactive" if methods == "any" else "publickey,keyboard-interactive"
    )
    read_code(client)
    client.sendline()
    expect_login(client)
    assert stages(owner) == [None]


def test_key_and_denial(sshd, peer):
    owner = peer("pending/exempt", "denied")
    client = sshd(account=True, methods="publickey,keyboard-interactive:pam").login(
        "publickey,keyboard-interactive"
    )
    read_code(client)
    client.sendline()
    client.expect(REFUSED)
    assert "logged-in" not in client.before
    assert stages(owner) == [None]


def test_reason_is_asked_before_the_code(sshd, peer):
    owner = peer("ask,pending/denied", "approved")
    client = sshd(account=True).login()
    client.expect(r"Why do you log in\?\s+Reason \(at most 200 bytes\): ")
    client.sendline("to fix the printer")
    read_code(client)
    client.sendline()
    expect_login(client)
    reasons = [words[0].get("reason") for name, words in support.calls_with_arguments(owner) if "Create" in name]
    assert reasons == [None, "to fix the printer"]


OFFER = r"then wait \(or type a recovery code\)\. "


def secrets(owner):
    return [words[1] for name, words in support.calls_with_arguments(owner) if name == "Redeem"]


def test_recovery_code_instead_of_enter(sshd, peer):
    """A mistyped one, a wrong one, the right one; what is typed reaches no log."""
    owner = peer("recovery/denied", "hold", "ok", "wrong,ok>recovered")
    server = sshd(account=True)
    client = server.login()
    client.expect(r"Code (\d{3}) (\d{3}): ")
    client.expect(OFFER)
    client.sendline("swordfish")
    client.expect("That is neither a recovery code")
    client.expect(OFFER)
    client.sendline("1111-2222-3333-4444")
    client.expect("That code is wrong, or was used before.")
    client.expect(OFFER)
    client.sendline("8k3v oqwx 7n2p abcd")
    client.expect("Approved by a recovery code.")
    expect_login(client)
    assert secrets(owner) == ["1111-2222-3333-4444", "8K3V-0QWX-7N2P-ABCD"]
    log = server.log.read_text().lower()
    assert not any(word in log for word in ("swordfish", "1111-2222", "8k3v"))


def test_third_wrong_recovery_code(sshd, peer):
    owner = peer("recovery", "hold", "ok", "wrong,wrong,wrong>too-many")
    client = sshd().login()
    for _ in range(3):
        client.expect(OFFER)
        client.sendline("735129")
    client.expect(REFUSED)
    client.expect(pexpect.EOF)
    assert "logged-in" not in client.before and "or type" not in client.before
    assert secrets(owner) == ["735129"] * 3


def test_enter_still_waits_where_recovery_is_offered(sshd, peer):
    owner = peer("recovery", "late=1,approved", "ok", "ok>recovered")
    client = sshd().login()
    client.expect(OFFER)
    client.sendline()
    client.expect("Approved by bob")
    expect_login(client)
    assert secrets(owner) == []


@pytest.mark.parametrize("typed", [[], ["swordfish"]])
def test_client_vanishes_where_recovery_is_offered(sshd, peer, typed):
    owner = peer("recovery", "hold")
    server = sshd()
    client = server.login()
    client.expect(OFFER)
    for word in typed:
        client.sendline(word)
        client.expect(OFFER)
    client.kill(signal.SIGKILL)
    until(lambda: "[priv]" not in children(server), 5, "the end of the connection")
    assert secrets(owner) == []


def test_client_vanishes_while_a_code_is_checked(sshd, peer):
    """The broker does not answer: the module itself sees that the connection is gone (attack A14)."""
    owner = peer("recovery", "hold", "ok", "silence")
    server = sshd()
    client = server.login()
    client.expect(OFFER)
    client.sendline("735129")
    for line in owner.stdout:
        if line.startswith("Redeem"):
            break
    client.kill(signal.SIGKILL)
    until(lambda: "[priv]" not in children(server), 2, "the end of the connection")
    assert support.calls(owner)[-1] == "CancelRequest"


def test_password_method_recovers_nobody(sshd, peer):
    """It answers prompts by itself, with the password."""
    owner = peer("recovery", "hold", "ok", "ok>recovered")
    client = sshd(password="yes").login("password")
    client.expect("assword: ")
    client.sendline("735129")
    client.expect(REFUSED)
    assert secrets(owner) == []


def test_client_vanishes_at_the_question(sshd, peer):
    """Nothing is held for it: sshd ends its own child, and no request was made."""
    owner = peer("ask,pending", "approved")
    server = sshd()
    client = server.login()
    client.expect("Reason ")
    client.kill(signal.SIGKILL)
    until(lambda: "[priv]" not in children(server), 5, "the end of the connection")
    assert stages(owner) == [None]


def children(server):
    """What sshd's processes for connections call themselves."""
    command = ["ps", "--ppid", str(server.process.pid), "-o", "args="]
    return subprocess.run(command, capture_output=True, text=True).stdout
