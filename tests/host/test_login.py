# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logins at a console through login(1), and what rules say of them. login logs PAM's answer by its name."""

import pathlib
import re
import signal
import time

import evidence as e
import pytest
import workstation as w


@pytest.fixture
def login_timeout():
    """Sets LOGIN_TIMEOUT in login.defs(5) until the test has ended."""
    path = pathlib.Path("/etc/login.defs")
    text = path.read_text()

    def change(seconds):
        path.write_text(re.sub(r"(?m)^LOGIN_TIMEOUT.*", f"LOGIN_TIMEOUT {seconds}", text))

    yield change
    path.write_text(text)


def console(name="alice"):
    """login(1) with the right password, at the point where the code is shown."""
    before = {request["id"] for request in w.pending()}
    terminal = w.login(name)
    terminal.read_code()
    terminal.expect(r"Valid [^\r\n]*\.")
    return e.held(terminal, before)


def answer(journal, name="alice"):
    """PAM's answer as login(1) logs it, which it does once."""
    line = journal.wait("FAILED LOGIN (1)", f"FOR '{name}'")
    return re.search(r"FOR '[^']*', (.*)", line).group(1)


def test_approved(ledger, dave):
    alice = console()
    assert dave.approve("alice", alice.code)[1] == 0
    alice.expect("Approved by dave.")
    alice.expect(re.escape("alice$ "))
    assert [s["Remote"] for s in w.sessions("alice")] == ["no"]
    alice.send("exit")
    assert e.ended(alice) == 0
    created, _vote, decision = ledger.entries()
    assert (created["service"], created["rhost"]) == ("login", "") and created["tty"].startswith("/dev/pts/")
    assert decision["outcome"] == "approved"


def test_denied(ledger, journal, dave):
    alice = console()
    assert dave.deny("alice", note="not today")[1] == 0
    alice.expect("Denied by dave.\r\nNote: not today")
    alice.expect("Login incorrect")
    assert answer(journal) == e.PERM_DENIED
    assert ledger.entries("decision")[0]["outcome"] == "denied" and not w.sessions("alice")
    alice.hang_up()


def test_expired(policy, ledger, journal, dave):
    policy(e.default_rule(Expires="10s"))
    alice = console()
    alice.expect("Nobody decided in time.", timeout=15)
    assert answer(journal) == e.AUTH_ERR
    assert ledger.kinds() == ["request-created", "expired"]
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "Expired"
    alice.hang_up()


def test_wait_is_cut_to_what_login_allows(login_timeout, ledger, journal):
    """login(1) ends itself by an alarm; the module is quicker, and says why."""
    login_timeout(16)
    alice = console()
    left = w.pending()[0]["time-left"] / 1e6
    assert left < 11.5, "five seconds are kept for the message and the other modules"
    alice.expect("Nobody decided in", timeout=20)
    assert answer(journal) == e.AUTH_ERR
    assert ledger.kinds() == ["request-created", "expired"]
    alice.hang_up()


def test_shipped_limit_of_login_is_known():
    alice = console()
    assert 45 < w.pending()[0]["time-left"] / 1e6 < 56, "LOGIN_TIMEOUT is 60 as shipped"
    alice.hang_up()


def test_wrong_password_reaches_no_reviewer(ledger, journal):
    """Attack A12."""
    alice = w.login("alice", password="wrong")
    alice.expect("Login incorrect", timeout=10)
    assert answer(journal) == e.AUTH_ERR
    assert ledger.kinds() == [] and not journal.find("pam_peerauth")
    alice.hang_up()


def ctrl_c(terminal):
    terminal.child.sendintr()


def close_terminal(terminal):
    terminal.child.ptyproc.fileobj.close()


def kill(terminal):
    terminal.child.kill(signal.SIGKILL)


@pytest.mark.parametrize("go", [ctrl_c, close_terminal, kill])
def test_person_goes_away(ledger, dave, go):
    """Attacks A5, A14: at the console."""
    alice = console()
    e.pause(0.3)
    moment = time.time()
    go(alice)
    assert e.seconds_after(ledger.wait("cancelled"), moment) < e.WITHIN
    assert dave.call_approve(alice.request, alice.code) == e.ERROR + "AlreadyDecided"
    assert ledger.kinds() == ["request-created", "cancelled"] and not w.sessions("alice")
    if go is not close_terminal:
        alice.hang_up()


# ---- rules ----

ROOT_RULES = """\
[Rule root-console]
Service=login
User=root
Action=exempt

[Rule root-elsewhere]
User=root
Action=deny

"""


@pytest.fixture
def root_password(host):
    w.run("chpasswd", stdin=f"root:{w.PASSWORD}\n")


def test_root_waits_like_everybody_as_shipped(root_password, ledger, dave):
    root = console("root")
    assert dave.approve("root", root.code)[1] == 0
    root.expect("# ")
    assert ledger.entries("decision")[0]["user"] == "root"
    root.hang_up()


def test_exempt_rule_lets_root_in_at_the_console_only(root_password, policy, sshd_settings, ledger, journal):
    policy(ROOT_RULES + e.BASE_POLICY)
    sshd_settings("PermitRootLogin yes")
    root = w.login("root")
    root.expect("# ")
    root.hang_up()
    assert ledger.kinds() == []
    remote = w.ssh("root")
    assert e.ended(remote) == e.SSH_FAILED
    assert "A rule of this machine's policy forbids this login." in e.screen(remote)
    assert [(entry["kind"], entry["user"], entry["rule"]) for entry in ledger.entries()] == [
        ("refused", "root", "root-elsewhere")]
    assert "root-elsewhere" in journal.module(name="root")


def test_exempt_rule_does_not_replace_the_password(root_password, policy, journal):
    """Attack A4: out of scope is no success."""
    policy(ROOT_RULES + e.BASE_POLICY)
    root = w.login("root", password="wrong")
    root.expect("Login incorrect", timeout=10)
    assert answer(journal, "root") == e.AUTH_ERR
    root.hang_up()


def test_deny_rule_of_a_group(policy, ledger, journal):
    policy("[Rule no-sudoers-here]\nService=login\nGroup=sudo\nAction=deny\n" + e.BASE_POLICY)
    alice = w.login("alice")
    alice.expect("A rule of this machine's policy forbids this login.")
    assert answer(journal) == e.PERM_DENIED
    assert [(entry["kind"], entry["rule"]) for entry in ledger.entries()] == [("refused", "no-sudoers-here")]
    alice.hang_up()
