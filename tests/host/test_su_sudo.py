# SPDX-License-Identifier: LGPL-2.1-or-later
"""su and sudo: logins from inside a session, in an environment that the person chose."""

import pathlib

import evidence as e
import pytest
import workstation as w

# alice and erin have sessions without approval, so that what they do next is the test.
POLICY = """\
[Rule everybody-console]
Service=login
Action=exempt

"""
ONE_PEER = POLICY + "[Rule default]\nAction=require\nReviewers=peerauth-reviewers:1\nAdmins=peerauth-admins\n"
ALICE_SUDO = "[Rule alice-sudo]\nService=sudo\nUser=alice\nAction=exempt\n\n"


@pytest.fixture(autouse=True)
def rules(policy):
    policy(ONE_PEER)


@pytest.fixture
def alice(rules, desk):
    person = desk("alice")
    person.run("sudo -k")
    yield person
    if person.terminal.child.isalive() and w.pending():
        person.terminal.child.sendintr()
        e.pause(0.5)
        person.terminal.hang_up()


def start(person, command, prompt, enter_password=True):
    """Runs a command that asks for a password and then shows a code; adds code and request to the terminal."""
    terminal = person.terminal
    terminal.send(command + "; echo end-of-command=$?")
    terminal.expect(prompt)
    terminal.send(w.PASSWORD)
    if enter_password:
        terminal.read_code()
        terminal.shown = terminal.expect(r"Valid [^\r\n]*\.")
        e.held(terminal)
    return terminal


def start_sudo(person, command="sudo id -un"):
    return start(person, command, "password for [a-z]*: ")


def start_su(person, target="erin", command="id -un"):
    return start(person, f"su {target} -c '{command}'", "Password: ")


def give_up(terminal):
    """Ctrl-C at sudo's next password prompt; sudo drops what is typed before it listens."""
    for _ in range(20):
        terminal.child.sendintr()
        if terminal.child.expect_exact(["incorrect password attempt", w.pexpect.TIMEOUT], timeout=1) == 0:
            return
    raise AssertionError("sudo does not end")


def finish(person, status):
    """What the command printed after the code; its exit status must be the expected one."""
    child = person.terminal.child
    child.expect(r"(?s)^(.*?)end-of-command=(\d+)\r\n")
    output = child.match.group(1).replace("\r\n", "\n")
    assert int(child.match.group(2)) == status, output
    child.expect_exact(f"{person.name}$ ")
    return output


# ---- decided ----


def test_sudo_approved(alice, dave, ledger):
    terminal = start_sudo(alice)
    assert dave.approve("alice", terminal.code)[1] == 0
    assert "\nroot\n" in finish(alice, 0)
    created, _vote, decision = ledger.entries()
    assert (created["user"], created["service"], created["ruser"]) == ("alice", "sudo", "alice")
    assert decision["outcome"] == "approved"


def test_sudo_denied(alice, dave, ledger, journal):
    terminal = start_sudo(alice)
    assert dave.deny("alice", note="ask first")[1] == 0
    terminal.expect("Denied by dave.\r\nNote: ask first")
    terminal.expect("password for alice: ")
    give_up(terminal)
    assert "root" not in finish(alice, 1)
    assert journal.module("sudo").startswith("Denied by dave.")
    assert ledger.entries("decision")[0]["outcome"] == "denied"


def test_su_approved(alice, dave, ledger):
    terminal = start_su(alice)
    assert dave.approve("erin", terminal.code)[1] == 0
    assert "\nerin\n" in finish(alice, 0)
    created, _vote, decision = ledger.entries()
    assert (created["user"], created["service"], created["ruser"]) == ("erin", "su", "alice")
    assert (decision["user"], decision["outcome"]) == ("erin", "approved")


def test_su_denied(alice, dave, ledger):
    start_su(alice)
    assert dave.deny("erin")[1] == 0
    output = finish(alice, 1)
    assert f"su: {e.PERM_DENIED}" in output and "\nerin\n" not in output
    assert ledger.entries("decision")[0]["outcome"] == "denied"


def test_su_expired(alice, policy, ledger):
    policy(ONE_PEER + "Expires=10s\n")
    start_su(alice)
    assert f"su: {e.AUTH_ERR}" in finish(alice, 1)
    assert ledger.kinds() == ["request-created", "expired"]


@pytest.mark.parametrize("starting", [start_sudo, start_su])
def test_ctrl_c_takes_the_request_back(alice, dave, ledger, starting):
    """Attack A5. sudo blocks the keyboard's signals while PAM works; the module looks for them."""
    terminal = starting(alice)
    e.pause(0.3)
    terminal.child.sendintr()
    ledger.wait("cancelled", seconds=e.WITHIN)
    assert dave.call_approve(terminal.request, terminal.code) == e.ERROR + "AlreadyDecided"
    if starting is start_sudo:
        terminal.child.expect(["password for alice: ", "end-of-command"])
        terminal.hang_up()
    else:
        terminal.hang_up()


# ---- nobody reviews themselves (attack B10) ----


def test_requester_cannot_approve_in_another_window(alice, rules, ledger):
    terminal = start_sudo(alice)
    other = e.Person("alice")
    assert other.call_approve(terminal.request, terminal.code) == e.ERROR + "SelfReview"
    assert other.approve(terminal.request, terminal.code)[1] in (e.REFUSED, e.GONE)
    assert ledger.kinds() == ["request-created"]
    other.log_out()


def test_account_that_is_switched_to_cannot_approve(alice, bob, ledger):
    terminal = start_su(alice, "bob")
    assert bob.call_approve(terminal.request, terminal.code) == e.ERROR + "SelfReview"
    output, status = bob.approve("bob", terminal.code)
    assert status == e.REFUSED and "own login" in output
    assert ledger.kinds() == ["request-created"]


def test_person_behind_su_cannot_approve(bob, dave, ledger):
    """A reviewer who knows erin's password must not be the one who lets himself become erin."""
    terminal = start_su(bob)
    assert "Logged in now: 1 of them." in terminal.shown, "dave, and not bob himself"
    other = e.Person("bob")
    assert other.call_approve(terminal.request, terminal.code) == e.ERROR + "SelfReview"
    assert ledger.kinds() == ["request-created"]
    terminal.child.sendintr()
    ledger.wait("cancelled", seconds=e.WITHIN)
    terminal.hang_up()
    other.log_out()


@pytest.mark.parametrize("borrow, error", [
    ("sudo -u bob", "SelfReview"),
    ("sudo setpriv --reuid bob --regid bob --init-groups", "SelfReview"),
    ("sudo su bob -c", "SelfReview"),
    ("sudo", "SelfReview"),
])
def test_borrowed_account_cannot_approve_its_borrowers_login(alice, desk, policy, ledger, borrow, error):
    """alice may use sudo freely, and is still alice: loginuid stays."""
    policy(ALICE_SUDO + ONE_PEER)
    login = e.half_authenticated()
    alice.run(f"printf '%s\\n' '{w.PASSWORD}' | sudo -S -v")
    call = f'bus-call Reviewer Approve "sssa{{sv}}" \'["{login.request}", "{login.code}", "", {{}}]\''
    if borrow.endswith("-c"):
        call = '"' + call.replace('\\', '\\\\').replace('"', '\\"') + '"'
    output, _status = alice.run(f"{borrow} {call}")
    assert e.ERROR + error in output, output
    assert ledger.kinds() == ["request-created"]


def test_borrowed_account_cannot_approve_for_others(alice, policy, ledger):
    """alice through su is not bob, whoever it is that waits."""
    policy(ALICE_SUDO + ONE_PEER)
    login = e.half_authenticated("erin")
    alice.run(f"printf '%s\\n' '{w.PASSWORD}' | sudo -S -v")
    call = f'bus-call Reviewer Approve "sssa{{sv}}" \'["{login.request}", "{login.code}", "", {{}}]\''
    output, _status = alice.run(f"sudo -u bob {call}")
    assert e.ERROR + "NotEligible" in output, output
    assert ledger.kinds() == ["request-created"]


# ---- hostile environment (attack A9) ----

PRELOAD = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
        char name[64];
        snprintf(name, sizeof(name), "/tmp/evil/loaded-by-%u", (unsigned)geteuid());
        close(open(name, O_CREAT | O_WRONLY, 0666));
}
"""
LISTENER = """
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind("/tmp/evil/bus")
server.listen()
os.symlink("/tmp/evil/bus", "/tmp/evil/system_bus_socket")
while True:
    peer, _ = server.accept()
    open("/tmp/evil/asked", "a").write("x")
    peer.close()
"""
HOSTILE = ("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/tmp/evil/bus DBUS_SESSION_BUS_ADDRESS=unix:path=/tmp/evil/bus "
           "DBUS_STARTER_BUS_TYPE=session XDG_RUNTIME_DIR=/tmp/evil XDG_CONFIG_HOME=/tmp/evil "
           "XDG_SESSION_ID=1 LD_PRELOAD=/tmp/evil/evil.so LD_LIBRARY_PATH=/tmp/evil "
           "LC_ALL=../../../tmp/evil LANGUAGE=../../../tmp/evil HOME=/tmp/evil TMPDIR=/tmp/evil "
           "SYSTEMD_BUS_TIMEOUT=1us SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console PATH=/tmp/evil:$PATH")


@pytest.fixture
def evil(alice):
    alice.run("mkdir -p /tmp/evil")
    pathlib.Path("/tmp/evil/evil.c").write_text(PRELOAD)
    w.run("cc", "-shared", "-fPIC", "-o", "/tmp/evil/evil.so", "/tmp/evil/evil.c")
    folder = pathlib.Path("/tmp/evil")
    (folder / "listener.py").write_text(LISTENER)
    alice.run("/usr/bin/python3 /tmp/evil/listener.py & disown")
    w.wait_for("listener", (folder / "system_bus_socket").is_socket)
    # The trap works: an ordinary program falls into it.
    alice.run(f"env {HOSTILE} busctl --system list")
    assert (folder / "asked").exists() and list(folder.glob("loaded-by-*"))
    (folder / "asked").unlink()
    yield folder
    w.run("pkill", "--full", "/tmp/evil/listener.py")
    w.run("rm", "-rf", str(folder))


@pytest.mark.parametrize("starting, user, shown", [
    (lambda p: start_sudo(p, f"env {HOSTILE} sudo id -un"), "alice", "root"),
    (lambda p: start(p, f"env {HOSTILE} su erin -c 'id -un'", "Password: "), "erin", "erin"),
], ids=["sudo", "su"])
def test_hostile_environment_is_not_read(alice, dave, evil, ledger, starting, user, shown):
    terminal = starting(alice)
    assert dave.approve(user, terminal.code)[1] == 0
    assert f"\n{shown}\n" in finish(alice, 0)
    assert ledger.entries("decision")[0]["outcome"] == "approved", "asked of the real broker"
    assert not (evil / "asked").exists()
    assert not (evil / "loaded-by-0").exists()


@pytest.mark.parametrize("starting", [
    lambda p: start_sudo(p, f"env {HOSTILE} sudo id -un"),
    lambda p: start(p, f"env {HOSTILE} su erin -c 'id -un'", "Password: "),
], ids=["sudo", "su"])
def test_hostile_environment_does_not_turn_a_denial(alice, dave, evil, ledger, starting):
    terminal = starting(alice)
    assert dave.call("Deny", "ssa{sv}", terminal.request, "", {})[0] == "denied"
    terminal.child.expect(["password for alice: ", r"end-of-command=1\r\n"])
    terminal.hang_up()
    assert ledger.entries("decision")[0]["outcome"] == "denied"
    assert not (evil / "asked").exists()
