# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways around the approval, and ways to shut out whom nobody meant to: real sshd, login, su, sudo (A8, A13, R3)."""

import pathlib
import re
import time

import evidence as e
import pytest
import workstation as w

HINT = "AuthenticationMethods publickey,keyboard-interactive"
KEY_RULE = "[Rule alices-key]\nService=sshd\nUser=alice\nAction=exempt\n"


def rule(**keys):
    return e.default_rule(**{"Reviewers": "peerauth-reviewers:1", **keys})


@pytest.fixture
def key(host):
    path = pathlib.Path("/run/attack-key")
    if not path.exists():
        w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
        w.run("install", "-D", "-m", "0600", "-o", "alice", "-g", "alice", f"{path}.pub",
              "/home/alice/.ssh/authorized_keys")
        w.run("chown", "-R", "alice:alice", "/home/alice/.ssh")
    return ["-i", str(path), "-o", "IdentitiesOnly=yes"]


def ssh_in_batch(*options, name="alice"):
    return w.run("ssh", "-p", str(w.SSH_PORT), "-o", f"UserKnownHostsFile={w.KNOWN_HOSTS}", "-o", "BatchMode=yes",
                 *options, f"{name}@127.0.0.1", "id -un", check=False)


@pytest.fixture
def account_arguments(host):
    """Arguments of the module's account line, which evidence.module_arguments() leaves alone."""
    path = pathlib.Path("/etc/pam.d/common-account")
    before = path.read_text()
    yield lambda text: path.write_text(re.sub(r"pam_peerauth\.so.*", f"pam_peerauth.so {text}", before))
    path.write_text(before)


@pytest.fixture
def restarted_sshd(host):
    """A listener that has just begun, as after a boot."""
    w.run("systemctl", "stop", "sshd-test")
    w.run("systemctl", "reset-failed", "sshd-test", check=False)
    began = time.monotonic()
    w.start_sshd()
    return began


# ---- the age of the listener is not the age of a login ----


def at_age(began, seconds):
    e.pause(max(0, began + seconds - time.monotonic()))


@pytest.mark.parametrize("age", [2, 11, 18, 23])
def test_exempt_key_passes_whatever_the_age_of_the_listener(policy, key, account_arguments, restarted_sshd, journal, age):
    """With the shipped grace=120 the gap is from 115 to 120 s after sshd's start; grace=20 saves the time."""
    policy(KEY_RULE + rule())
    account_arguments("grace=20")
    at_age(restarted_sshd, age)
    answer = ssh_in_batch(*key)
    assert (answer.returncode, answer.stdout) == (0, "alice\n"), journal.find("pam_peerauth")


def test_exempt_password_passes_whatever_the_age_of_the_listener(policy, module_arguments, sshd_settings,
                                                                 restarted_sshd, journal):
    """The method `password` asks PAM in the connection's own process, whose parent is the listener."""
    policy(KEY_RULE + rule())
    module_arguments("grace=20")
    sshd_settings("PasswordAuthentication yes")
    at_age(restarted_sshd, 10)
    terminal = w.Terminal("/usr/bin/ssh", ["-p", str(w.SSH_PORT), "-o", f"UserKnownHostsFile={w.KNOWN_HOSTS}",
                                           "-o", "NumberOfPasswordPrompts=1", "-o", "RemoteCommand=true",
                                           "-o", "PreferredAuthentications=password", "alice@127.0.0.1"])
    terminal.expect("password: ")
    terminal.send(w.PASSWORD)
    assert e.ended(terminal) == 0, journal.find("pam_peerauth")


# ---- without the authentication of the stack ----


def test_login_minus_f_is_refused(policy, ledger, journal):
    policy(rule())
    terminal = w.Terminal("/bin/login", ["-f", "alice"])
    assert e.ended(terminal) != 0
    assert "alice$ " not in e.screen(terminal)
    assert ledger.wait("refused")["service"] == "login"
    assert journal.wait("pam_peerauth(login:account)")


def test_login_minus_f_by_rule(policy, ledger):
    policy("[Rule autologin]\nService=login\nUser=alice\nAction=exempt\n" + rule())
    terminal = w.Terminal("/bin/login", ["-f", "alice"])
    terminal.expect(re.escape("alice$ "))
    terminal.hang_up()
    assert not ledger.entries()


@pytest.mark.parametrize("methods", ["publickey keyboard-interactive", "any"])
def test_a_key_is_no_alternative(policy, key, sshd_settings, ledger, methods):
    policy(rule())
    sshd_settings(f"AuthenticationMethods {methods}")
    answer = ssh_in_batch(*key)
    assert answer.returncode == e.SSH_FAILED and "alice\n" not in answer.stdout
    assert ledger.kinds() == ["refused"]


def test_a_key_after_the_approval(policy, key, sshd_settings, dave, ledger):
    """The account stage ran with the approval, in another process; a second one does not ask again."""
    policy(rule())
    sshd_settings("AuthenticationMethods keyboard-interactive,publickey")
    alice = e.half_authenticated(options=[*key, "-o", "RemoteCommand=true"])
    assert dave.approve(alice.request, alice.code)[1] == 0
    assert e.ended(alice) == 0
    assert ledger.kinds() == ["request-created", "vote", "decision"]


def test_denied_then_a_key_on_the_same_connection(policy, key, dave, ledger):
    """ssh goes on to the next method after a refusal."""
    policy(rule())
    alice = e.half_authenticated(options=[*key, "-o", "PreferredAuthentications=keyboard-interactive,publickey",
                                          "-o", "RemoteCommand=echo in-as-$(id -un)"])
    assert dave.deny(alice.request)[1] == 0
    assert e.ended(alice) == e.SSH_FAILED
    assert "in-as-alice" not in e.screen(alice)
    assert [kind for kind in ledger.kinds() if kind != "refused"] == ["request-created", "vote", "decision"]


@pytest.mark.parametrize("hang_up_after", [False, True])
def test_denied_twice_then_approved(policy, dave, ledger, hang_up_after):
    """Each try of one connection is asked about by itself."""
    policy(rule())
    alice = w.Terminal("/usr/bin/ssh", ["-p", str(w.SSH_PORT), "-o", f"UserKnownHostsFile={w.KNOWN_HOSTS}",
                                        "-o", "RemoteCommand=true", "alice@127.0.0.1"])
    for _ in range(2):
        alice.expect("Password: ")
        alice.send(w.PASSWORD)
        alice.read_code()
        alice.expect("then wait. ")
        alice.send()
        assert dave.deny(w.wait_for("request", w.pending)[0]["id"])[1] == 0
    alice.expect("Password: ")
    if hang_up_after:
        alice.hang_up()
        return
    alice.send(w.PASSWORD)
    alice.read_code()
    alice.expect("then wait. ")
    alice.send()
    assert dave.approve(w.wait_for("request", w.pending)[0]["id"], alice.code)[1] == 0
    assert e.ended(alice) == 0


# ---- expired passwords ----


@pytest.fixture
def expired_password(host):
    w.run("chage", "--lastday", "0", "alice")
    yield
    w.run("chpasswd", stdin=f"alice:{w.PASSWORD}\n")


def test_expired_password_and_a_key(policy, key, expired_password, ledger):
    """Debian's account line ends the stack there: ours must have spoken before."""
    policy(rule())
    alice = w.Terminal("/usr/bin/ssh", ["-p", str(w.SSH_PORT), "-o", f"UserKnownHostsFile={w.KNOWN_HOSTS}", *key,
                                        "-o", "PreferredAuthentications=publickey", "alice@127.0.0.1"])
    assert e.ended(alice) == e.SSH_FAILED
    assert ledger.kinds() == ["refused"]


def test_expired_password_is_changed_after_the_approval(policy, expired_password, dave, ledger):
    policy(rule())
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    assert dave.approve(alice.request, alice.code)[1] == 0
    alice.expect("(?i)current password: ")
    alice.send(w.PASSWORD)
    alice.expect("(?i)new password: ")
    alice.send("another long battery")
    alice.expect("(?i)retype new password: ")
    alice.send("another long battery")
    assert e.ended(alice) == 0
    assert ledger.kinds() == ["request-created", "vote", "decision"]


# ---- tickets and root, while the broker is away ----


def test_the_ticket_of_an_approved_sudo(policy, dave, ledger):
    policy("[Rule alice-in]\nService=login\nUser=alice\nAction=exempt\n" + rule())
    alice = e.Person("alice")
    child = alice.terminal.child
    try:
        alice.terminal.send("sudo -k; sudo id -un")
        child.expect("password for alice: ")
        alice.terminal.send(w.PASSWORD)
        child.expect(w.CODE)
        code = child.match.group(1).replace(" ", "")
        assert dave.approve(w.wait_for("request", w.pending)[0]["id"], code)[1] == 0
        child.expect_exact("alice$ ")
        assert "root" in child.before
        w.run("systemctl", "stop", "peerauth-broker")
        w.run("systemctl", "mask", "--runtime", "peerauth-broker")
        try:
            assert alice.run("sudo -n id -un") == ("root", 0)
            assert alice.run("sudo -k; sudo -n id -un")[1] != 0
        finally:
            w.run("systemctl", "unmask", "--runtime", "peerauth-broker")
            w.run("systemctl", "start", "peerauth-broker")
    finally:
        alice.log_out()


def test_package_scripts_and_root_while_the_broker_is_away(host):
    w.run("systemctl", "stop", "peerauth-broker")
    w.run("systemctl", "mask", "--runtime", "peerauth-broker")
    try:
        for command in (["chfn", "-f", "Erin", "erin"], ["chsh", "-s", "/bin/bash", "erin"],
                        ["su", "erin", "-s", "/bin/sh", "-c", "true"], ["runuser", "-u", "erin", "true"],
                        ["sudo", "-u", "erin", "true"], ["adduser", "--disabled-password", "--gecos", "X", "frank"],
                        ["chpasswd"]):
            answer = w.run(*command, stdin=f"erin:{w.PASSWORD}\n", check=False)
            assert answer.returncode == 0, (command, answer.stderr)
    finally:
        w.run("systemctl", "unmask", "--runtime", "peerauth-broker")
        w.run("systemctl", "start", "peerauth-broker")


# ---- the reason ----


@pytest.mark.parametrize("typed", [w.PASSWORD, w.PASSWORD + " ", " " + w.PASSWORD, w.PASSWORD + w.PASSWORD])
def test_the_password_typed_at_the_question_for_the_reason(policy, ledger, journal, typed):
    """By reflex, with a blank at its end, or with both keys of two windows: it reaches neither people nor ledger."""
    policy(rule(Reason="optional"))
    alice = w.ssh("alice")
    alice.expect("Reason .at most 200 bytes.: ")
    alice.send(typed)
    alice.expect("Code ")
    listed = w.pending()
    alice.hang_up()
    assert w.PASSWORD not in str(listed)
    ledger.wait("cancelled")
    assert w.PASSWORD not in str(ledger.entries()) and not journal.find(w.PASSWORD)


@pytest.mark.parametrize("how", ["ctrl-c", "hang-up"])
def test_given_up_at_the_question_for_the_reason(policy, ledger, how):
    policy(rule(Reason="required"))
    alice = w.ssh("alice")
    alice.expect("Reason .at most 200 bytes.: ")
    if how == "ctrl-c":
        alice.child.sendintr()
    else:
        alice.hang_up()
    e.pause(1)
    assert not w.pending() and not ledger.entries()
    alice.hang_up()


def test_hostile_reason_is_harmless_to_the_reviewer(policy, dave, ledger):
    policy(rule(Reason="required"))
    alice = w.ssh("alice")
    alice.expect("Reason .at most 200 bytes.: ")
    alice.send("\x16\x1b[2J\x16\x07x\u202ey\x9b31m")
    alice.read_code()
    alice.expect("then wait. ")
    alice.send()
    request = w.wait_for("request", w.pending)[0]["id"]
    output, _ = dave.run(f"peerauthctl show {request}")
    alice.hang_up()
    assert "Reason given" in output
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", output.replace("\r", "")), output


# ---- the agent of peerauthctl ----


@pytest.fixture
def authenticate_again(host):
    rules = pathlib.Path("/etc/polkit-1/rules.d/50-peerauth-reauthenticate.rules")
    rules.parent.mkdir(parents=True, exist_ok=True)
    rules.write_text(pathlib.Path("/usr/share/doc/peerauth/50-peerauth-reauthenticate.rules.example").read_text())
    w.run("systemctl", "reset-failed", "polkit", check=False)
    w.run("systemctl", "restart", "polkit")
    yield
    rules.unlink()
    w.run("systemctl", "reset-failed", "polkit", check=False)
    w.run("systemctl", "restart", "polkit")


def agents():
    return w.run("pgrep", "-x", "pkttyagent", check=False).stdout.split()


# An interactive bash mends the terminal when a program was ended by a signal; a script does not.
SCRIPT = """trap : INT HUP
stty echo
stty -g >/tmp/bob-before
peerauthctl approve alice
sleep 1  # the agent mends the terminal, perhaps after its parent has gone
stty -g >/tmp/bob-after
stty sane -echo
"""


@pytest.mark.parametrize("signal", ["keyboard", "INT", "TERM", "HUP", "KILL"])
def test_nothing_stays_behind_when_the_password_is_not_typed(policy, authenticate_again, bob, ledger, signal):
    """Neither an agent nor a terminal without its echo."""
    policy(rule())
    alice = e.half_authenticated()
    child = bob.terminal.child
    pathlib.Path("/home/bob/script").write_text(SCRIPT)
    for name in ("before", "after"):
        pathlib.Path(f"/tmp/bob-{name}").unlink(missing_ok=True)
    bob.terminal.send("sh script")
    child.expect("Code that [^\r\n]* told you: ")
    bob.terminal.send(alice.code)
    child.expect("Password: ")
    assert agents()
    e.pause(0.3)
    if signal == "keyboard":
        child.sendintr()
    else:
        w.run("pkill", "-x", f"-{signal}", "peerauthctl")
    child.expect_exact("bob$ ")
    w.wait_for("the end of the agent", lambda: not agents(), seconds=3)
    assert alice.child.isalive() and ledger.kinds() == ["request-created"]
    before, after = (pathlib.Path(f"/tmp/bob-{name}").read_text() for name in ("before", "after"))
    assert after == before


# ---- a stack that somebody changed by hand ----


def test_removing_from_stacks_changed_by_hand(host):
    """Whatever pam-auth-update makes of it, no line may name a module that the package takes away."""
    folder = pathlib.Path("/etc/pam.d")
    before = {path: path.read_text() for path in folder.iterdir()}
    auth = folder / "common-auth"
    auth.write_text(auth.read_text().replace("pam_peerauth.so", "pam_peerauth.so grace=300")
                    .replace("pam_unix.so nullok", "pam_unix.so nullok try_first_pass"))
    try:
        w.run("pam-auth-update", "--package", "--remove", "peerauth", "peerauth-session", check=False)
        left = [path.name for path in folder.iterdir() if "pam_peerauth" in path.read_text()]
        assert left == []
    finally:
        for path, text in before.items():
            path.write_text(text)
