# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reviewing under the real polkitd, with the action file and the example rule as they are shipped; and under a polkit
that hangs, fails, or talks nonsense, which is played."""

import pathlib
import shutil
import subprocess
import threading
import time

import peerauth_bus as bus
import pytest
from jeepney import DBusAddress, HeaderFields, MessageFlag, new_error, new_method_call, new_method_return
from peerauth_client import BusError

POLKIT = "org.freedesktop.PolicyKit1"
AUTHORITY = f"{POLKIT}.Authority"
AUTHORITY_PATH = "/org/freedesktop/PolicyKit1/Authority"
AGENT_PATH = "/org/freedesktop/PolicyKit1/AuthenticationAgent"
ACTION = "org.peerauth.peerauth1.review"
INTERACTION_REQUIRED = f"{bus.DBUS}.Error.InteractiveAuthorizationRequired"
PACKAGING = bus.TOP / "packaging" / "polkit"
RULES_FOLDERS = ("/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d")
ACTIONS_FOLDER = "/usr/share/polkit-1/actions"
DAEMON = next((path for path in ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd") if pathlib.Path(path).exists()), None)

DENY_ALL = 'polkit.addRule(function (action) { if (action.id === "org.peerauth.peerauth1.review") return "no"; });'
# What the example file tells an administrator to write.
ONLY_FOR_ONE = """
polkit.addRule(function (action, subject) {
    if (action.id !== "org.peerauth.peerauth1.review") return polkit.Result.NOT_HANDLED;
    if (["one"].indexOf(action.lookup("service")) < 0) return polkit.Result.YES;
    return polkit.Result.AUTH_SELF;
});
"""
BROKEN = "polkit.addRule(function (action) { throw 'mistake'; });"


class Polkit:
    """polkitd on the private bus, with our action and the rules of one test, and no others."""

    def __init__(self, system, rules):
        self.system, self.mounts = system, []
        self.rules = self.mount(RULES_FOLDERS[0])
        self.mount(RULES_FOLDERS[1])
        shutil.copy(PACKAGING / f"{ACTION.rsplit('.', 1)[0]}.policy", self.mount(ACTIONS_FOLDER))
        if rules is not None:
            (self.rules / "50-test.rules").write_text(rules, encoding="utf-8")
        self.log = open(system.folder / "polkit.log", "ab")
        self.process = subprocess.Popen(
            [DAEMON, "--no-debug"], env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={system.socket}"}, stdout=self.log,
            stderr=self.log, stdin=subprocess.DEVNULL)
        bus.until(lambda: system.control.bus("NameHasOwner", "s", POLKIT)[0], what="polkitd")

    def mount(self, folder):
        """An empty folder there, in the mount namespace of this suite."""
        empty = self.system.folder / folder.strip("/").replace("/", "-")
        empty.mkdir(mode=0o755)
        subprocess.run(["mount", "--bind", empty, folder], check=True)
        self.mounts.append(folder)
        return empty

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
        for folder in self.mounts:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def polkit(system):
    if DAEMON is None:
        pytest.skip("polkitd is not installed")
    started = []

    def start(rules=None):
        started.append(Polkit(system, rules))
        return started[0]

    yield start
    for daemon in started:
        daemon.stop()


class Agent:
    """An authentication agent of a person for one of their processes, as pkttyagent is one for a shell."""

    def __init__(self, system, who, client):
        self.system, self.client, self.root = system, system.client(who), system.client("root")
        stat = pathlib.Path(f"/proc/{client.process.pid}/stat").read_text(encoding="ascii")
        started = int(stat.rsplit(")", 1)[1].split()[19])
        subject = ("unix-process", {"pid": ("u", client.process.pid), "start-time": ("t", started),
                                    "uid": ("i", client.uid)})
        self.client.call(AUTHORITY, "RegisterAuthenticationAgent", "(sa{sv})ss", subject, "C", AGENT_PATH,
                         destination=POLKIT, path=AUTHORITY_PATH)

    def asked(self, member="BeginAuthentication", seconds=10):
        """The next call of polkit; its body is (action, message, icon, details, cookie, identities)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.client.receive(0.05)
            for call in self.client.others:
                if call.header.fields[HeaderFields.member] == member:
                    self.client.others.remove(call)
                    return call
        return None

    def right_password(self, call):
        """What the setuid helper of polkit says when PAM is satisfied."""
        self.root.call(AUTHORITY, "AuthenticationAgentResponse2", "us(sa{sv})", self.client.uid, call.body[4],
                       ("unix-user", {"uid": ("u", self.client.uid)}), destination=POLKIT, path=AUTHORITY_PATH)
        self.client.send_message(new_method_return(call))

    def dismiss(self, call):
        self.client.send_message(new_error(call, f"{POLKIT}.Error.Cancelled", "s", ("closed",)))


def send_interactive(client, login, code=None):
    body = (login.id, code or login.code, "", {})
    call = new_method_call(DBusAddress(bus.PATH, bus.NAME, bus.REVIEWER), "Approve", "sssa{sv}", body)
    call.header.flags |= MessageFlag.allow_interactive_authorization
    return client.send_message(call)


def error_of(client, serial, seconds=10):
    with pytest.raises(BusError) as error:
        client.reply(serial, seconds)
    return error.value


def test_the_shipped_default_asks_for_nothing(system, polkit):
    polkit()
    login = system.login()
    assert system.client("bob").approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"


def test_polkit_gives_no_rights(system, polkit):
    polkit('polkit.addRule(function () { return "yes"; });')
    login = system.login()
    assert error_of(mallory := system.client("mallory"), mallory.send_approve(login)).name == f"{bus.ERROR}NoSuchRequest"
    assert error_of(alice := system.client("alice"), alice.send_approve(login)).name == f"{bus.ERROR}SelfReview"
    assert login.verdict(0.1) is None


def test_the_example_rule_without_interaction(system, polkit):
    """Nothing happens to the request, wrong code or not; denying takes no password, and root is not asked."""
    polkit((PACKAGING / "50-peerauth-reauthenticate.rules.example").read_text(encoding="utf-8"))
    login, bob = system.login(), system.client("bob")
    for _ in range(4):
        assert error_of(bob, bob.send_approve(login)).name == INTERACTION_REQUIRED
    assert login.verdict(0.1) is None and login.kinds() == ["request-created"]
    assert system.client("root").approve(login) == ("approved", 0)
    other = system.login("mallory")
    assert bob.deny(other) == ("denied", 0)


def test_the_right_password(system, polkit):
    polkit((PACKAGING / "50-peerauth-reauthenticate.rules.example").read_text(encoding="utf-8"))
    login, bob = system.login(), system.client("bob")
    agent = Agent(system, "bob", bob)
    serial = send_interactive(bob, login)
    asked = agent.asked()
    assert asked.body[0] == ACTION
    assert asked.body[1] == "Authentication is required to approve the login of alice (one)"
    assert [identity[1]["uid"][1] for identity in asked.body[5]] == [bus.uid_of("bob")]
    assert bob.message(serial, 0.2) is None and login.verdict(0.1) is None
    agent.right_password(asked)
    assert bob.reply(serial) == ("approved", 0)
    assert login.verdict()[0] == "approved"


def test_the_window_is_closed(system, polkit):
    polkit((PACKAGING / "50-peerauth-reauthenticate.rules.example").read_text(encoding="utf-8"))
    login, bob = system.login(), system.client("bob")
    agent = Agent(system, "bob", bob)
    serial = send_interactive(bob, login)
    agent.dismiss(agent.asked())
    error = error_of(bob, serial)
    assert error.name == bus.ACCESS_DENIED and "dismissed" in error.text
    assert login.verdict(0.1) is None and login.kinds() == ["request-created"]


def test_nobody_to_ask(system, polkit):
    polkit((PACKAGING / "50-peerauth-reauthenticate.rules.example").read_text(encoding="utf-8"))
    login, bob = system.login(), system.client("bob")
    error = error_of(bob, send_interactive(bob, login))
    assert error.name == bus.ACCESS_DENIED and "pkttyagent" in error.text


def test_the_reviewer_leaves_while_the_password_is_typed(system, polkit):
    """Sessions are looked at again: typing takes time, in which the screen was locked (attack B12)."""
    polkit((PACKAGING / "50-peerauth-reauthenticate.rules.example").read_text(encoding="utf-8"))
    login, bob = system.login(), system.client("bob")
    agent = Agent(system, "bob", bob)
    serial = send_interactive(bob, login)
    asked = agent.asked()
    system.logind.change("bob", LockedHint=True)
    agent.right_password(asked)
    assert error_of(bob, serial).name == f"{bus.ERROR}NotEligible"
    assert login.verdict(0.1) is None


def test_the_request_ends_while_the_password_is_typed(system, polkit):
    polkit((PACKAGING / "50-peerauth-reauthenticate.rules.example").read_text(encoding="utf-8"))
    login, bob = system.login(), system.client("bob")
    agent = Agent(system, "bob", bob)
    serial = send_interactive(bob, login)
    asked = agent.asked()
    assert system.client("carol").deny(login) == ("denied", 0)
    assert login.verdict()[0] == "denied"
    agent.right_password(asked)
    assert error_of(bob, serial).name == f"{bus.ERROR}AlreadyDecided"


def test_others_decide_while_a_password_is_typed(system, polkit):
    polkit(ONLY_FOR_ONE.replace("return polkit.Result.AUTH_SELF",
                                'return subject.user === "bob" ? polkit.Result.AUTH_SELF : polkit.Result.YES'))
    login, bob = system.login(service="two"), system.client("bob")
    assert bob.approve(login) == ("pending", 1)  # not the service that the rule names
    other = system.login("mallory")
    agent = Agent(system, "bob", bob)
    serial = send_interactive(bob, other)
    assert agent.asked() is not None
    start = time.monotonic()
    assert system.client("carol").approve(login) == ("approved", 0)
    assert time.monotonic() - start < 1
    assert bob.message(serial, 0.1) is None


@pytest.mark.parametrize("service, expected", [("one", INTERACTION_REQUIRED), ("compare", None)])
def test_a_rule_for_some_services(system, polkit, service, expected):
    polkit(ONLY_FOR_ONE)
    login, bob = system.login(service=service), system.client("bob")
    if expected is None:
        assert bob.approve(login) == ("approved", 0)
    else:
        assert error_of(bob, bob.send_approve(login)).name == expected


@pytest.mark.parametrize("rules", [DENY_ALL, BROKEN], ids=["no", "broken"])
def test_a_rule_that_refuses(system, polkit, rules):
    polkit(rules)
    login, bob = system.login(), system.client("bob")
    assert error_of(bob, bob.send_approve(login)).name == bus.ACCESS_DENIED
    agent = Agent(system, "bob", bob)
    assert error_of(bob, send_interactive(bob, login)).name == bus.ACCESS_DENIED
    assert agent.asked(seconds=0.2) is None
    assert login.verdict(0.1) is None and login.kinds() == ["request-created"]
    assert bob.deny(login) == ("denied", 0)


# A polkit that does not do what it should.


class Played(threading.Thread):
    """Owns polkit's name, and answers every CheckAuthorization as it is told: None is silence."""

    def __init__(self, system, answer):
        super().__init__(daemon=True)
        self.client, self.answer, self.over, self.calls = system.client("polkitd"), answer, False, []
        assert self.client.bus("RequestName", "su", POLKIT, 4) == (1,)
        self.start()

    def run(self):
        while not self.over:
            try:
                self.client.receive(0.05)
            except OSError:
                return
            calls, self.client.others = self.client.others, []
            for call in calls:
                self.calls.append(call)
                answer = self.answer(call) if self.answer else None
                if answer is not None:
                    self.client.send_message(answer)

    def stop(self):
        self.over = True
        self.join()


@pytest.fixture
def played(system):
    if DAEMON is None:
        pytest.skip("polkitd is not installed, so the bus lets nobody have its name")
    started = []

    def start(answer):
        started.append(Played(system, answer))
        return started[0]

    yield start
    for thread in started:
        thread.stop()


FAILURES = {
    "an error": lambda call: new_error(call, f"{POLKIT}.Error.Failed", "s", ("no",)),
    "an error of the bus, forged": lambda call: new_error(call, f"{bus.DBUS}.Error.ServiceUnknown", "s", ("no",)),
    "nothing": new_method_return,
    "a word": lambda call: new_method_return(call, "s", ("yes",)),
    "flags alone": lambda call: new_method_return(call, "bb", (True, False)),
    "other details": lambda call: new_method_return(call, "(bba{sv})", ((True, False, {}),)),
    "no": lambda call: new_method_return(call, "(bba{ss})", ((False, False, {}),)),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES.keys())
def test_an_answer_that_is_no_yes(system, played, answer):
    played(answer)
    login, bob = system.login(), system.client("bob")
    assert error_of(bob, bob.send_approve(login)).name == bus.ACCESS_DENIED
    assert login.verdict(0.1) is None and login.kinds() == ["request-created"]


def test_a_polkit_that_says_yes(system, played):
    """The other side of those above: it is the answer that counts; and a wrong code stays one."""
    asked = played(lambda call: new_method_return(call, "(bba{ss})", ((True, False, {}),)))
    login, bob = system.login(), system.client("bob")
    assert error_of(bob, bob.send_approve(login, "000000" if login.code != "000000" else "000001")).name == (
        f"{bus.ERROR}CodeMismatch")
    assert bob.approve(login) == ("approved", 0)
    subject, action, _, flags, cancellation = asked.calls[0].body
    assert (subject, action, flags, cancellation) == (("system-bus-name", {"name": ("s", bob.name)}), ACTION, 0, "")


def test_a_polkit_that_hangs(system, played):
    """Whoever is asked about waits for five seconds, and nobody else does."""
    played(None)
    login, other = system.login(), system.login("mallory")
    bob, carol, root = (system.client(who) for who in ("bob", "carol", "root"))
    start = time.monotonic()
    serial = bob.send_approve(login)
    assert carol.deny(other) == ("denied", 0)
    assert carol.requests()[1] == 1
    assert root.approve(login) == ("approved", 0)
    assert time.monotonic() - start < 1
    assert bob.message(serial, 3) is None
    assert error_of(bob, serial, 5).name in (bus.ACCESS_DENIED, f"{bus.ERROR}AlreadyDecided")
    assert time.monotonic() - start < 7


def test_a_hanging_polkit_and_a_user_who_calls_often(system, played):
    """The answers that the broker waits for are bounded, so that logind's still come."""
    played(None)
    login = system.login()
    flooders = [system.client("mallory") for _ in range(20)]
    serials = [(client, client.send_approve(login, "000000")) for _ in range(8) for client in flooders]
    for client in flooders:
        client.bus("GetId")
    assert system.client("root").approve(login) == ("approved", 0)
    assert system.login("mallory").outcome == "pending"
    for client, serial in serials:
        assert error_of(client, serial, 15).name in (f"{bus.ERROR}NoSuchRequest", bus.LIMITS_EXCEEDED, bus.ACCESS_DENIED)


def test_a_polkit_that_ends_while_it_is_asked(system, played):
    thread = played(None)
    login, bob = system.login(), system.client("bob")
    serial = bob.send_approve(login)
    bus.until(lambda: thread.calls, what="the question")
    thread.stop()
    thread.client.leave()
    assert error_of(bob, serial).name == bus.ACCESS_DENIED
    assert login.verdict(0.1) is None
    assert bob.approve(login) == ("approved", 0)  # now there is none
