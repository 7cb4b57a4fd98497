# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reviewer's desktop and the host around it, made of the real programs, each under its own account.

Started by tests/desktop/run, which gives the accounts. Everything is torn down with the object that
started it; nothing is shared between two tests but the display.
"""
import os
import pwd
import re
import signal
import subprocess
import threading
import time

from jeepney import DBusAddress, HeaderFields, MatchRule, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

BUILD = os.environ["PEERAUTH_BUILD"]
PROGRAMS = os.environ["PEERAUTH_PROGRAMS"]
WORK = os.environ["PEERAUTH_WORK"]
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

BROKER = "org.peerauth.PeerAuth1"
PATH = "/org/peerauth/PeerAuth1"
SESSION_OF_BOB = "/org/freedesktop/login1/session/c1"

SYSTEM_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.login1"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.login1"/>
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow send_destination="*" send_type="method_call"/>
  </policy>
  {policy}
</busconfig>
"""
PACKAGED_POLICY = f"<include>{ROOT}/packaging/dbus/org.peerauth.PeerAuth1.conf</include>"
# A bus without our policy file's rule against forged signals.
OPEN_POLICY = f"""<policy context="default"><allow own="{BROKER}"/>
    <allow send_destination="{BROKER}"/></policy>"""

SESSION_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="bob"/>
    <allow user="root"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

RULES = """
[Rule elsewhere]
User=carol
Action=require
Reviewers=others:1

[Rule compared]
Service=compared
Action=require
Reviewers=peerauth-reviewers:1
Code=compare
Expires=5min

[Rule both]
Service=both
Action=require
Reviewers=peerauth-reviewers:2
Code=compare

[Rule reasoned]
Service=reasoned
Action=require
Reviewers=peerauth-reviewers:1
Reason=optional

[Rule noted]
Service=noted
Action=require
Reviewers=peerauth-reviewers:1
Code=compare
Note=match:INC[0-9]+

[Rule doubted]
Service=doubted
Action=require
Reviewers=peerauth-reviewers:2
DenyThreshold=2

[Rule escalated]
Service=escalated
Action=require
Reviewers=others:1
EscalateTo=peerauth-reviewers:1
EscalateAfter=10s

[Rule typed]
Action=require
Reviewers=peerauth-reviewers:2
Code=enter
Expires=5min
"""


def until(condition, seconds=10, what="the condition"):
    """Waits for a true value and returns it with how long it took."""
    start = time.monotonic()
    while True:
        value = condition()
        took = time.monotonic() - start
        if value:
            return value, took
        assert took < seconds, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)


class Process:
    """One program; its output goes to a file of its own."""

    def __init__(self, name, argv, user="root", **environment):
        account = pwd.getpwnam(user)
        self.name = name
        self.log = os.path.join(WORK, f"{name}.log")
        env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": WORK, **environment}
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd="/",
                user=account.pw_uid, group=account.pw_gid,
                extra_groups=os.getgrouplist(user, account.pw_gid))
        self.pid = self.popen.pid

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def running(self):
        return self.popen.poll() is None

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns its exit status; a negative one is a signal."""
        if self.running():
            self.popen.send_signal(number)
        try:
            return self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.name} did not end on signal {number}") from None


def connect(socket):
    """Waits for the bus daemon, which listens a moment after its socket has a name."""
    def attempt():
        try:
            return open_dbus_connection(bus=f"unix:path={socket}")
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    return until(attempt, what=f"the bus at {socket}")[0]


def call(connection, destination, path, interface, member, signature="", *body, timeout=10):
    message = new_method_call(DBusAddress(path, destination, interface), member, signature or None, body)
    reply = connection.send_and_get_reply(message, timeout=timeout)
    if reply.header.message_type == MessageType.error:
        raise BusError(reply.header.fields[HeaderFields.error_name], reply.body)
    return reply.body


class BusError(Exception):
    pass


class Login:
    """A login that asks for a decision and waits, as the PAM module does."""

    def __init__(self, system, user="alice", service="sshd", rhost="192.0.2.7", tty="ssh", seconds=0, reason=None):
        self.connection = connect(system.socket)
        request = {"user": ("s", user), "service": ("s", service), "rhost": ("s", rhost), "tty": ("s", tty)}
        if seconds:
            request["time-left"] = ("t", seconds * 1000000)  # what the front end allows
        if reason is not None:
            request["reason"] = ("s", reason)
        self.asked_at = time.time()
        self.outcome, self.id, self.code, self.deadline, self.info = call(
            self.connection, BROKER, PATH, f"{BROKER}.Requester", "CreateRequest", "a{sv}", request)
        assert self.outcome == "pending", (self.outcome, self.info)
        wait = new_method_call(DBusAddress(PATH, BROKER, f"{BROKER}.Requester"), "WaitDecision", "s", (self.id,))
        self.connection.send(wait)

    def verdict(self, seconds=5):
        """The answer to WaitDecision; None if there is none in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = self.connection.receive(timeout=max(0.01, end - time.monotonic()))
            except TimeoutError:
                return None
            if message.header.message_type == MessageType.method_return:
                return message.body[0]
            if message.header.message_type == MessageType.error:
                return message.header.fields[HeaderFields.error_name]
        return None

    def leave(self):
        self.connection.close()


class System:
    """The host's side: system bus, logind as far as it is asked, broker."""

    def __init__(self, name, policy=PACKAGED_POLICY):
        self.folder = os.path.join(WORK, name)
        self.socket = os.path.join(self.folder, "system_bus")
        self.processes, self.connections, self.logins = [], [], []
        os.makedirs(os.path.join(self.folder, "conf", "etc"), exist_ok=True)
        self.policy = policy
        self.bus = self.broker = None
        self.start_bus()
        self.start_broker()

    def start_bus(self):
        config = os.path.join(self.folder, "system.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(SYSTEM_BUS.format(socket=self.socket, policy=self.policy))
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.bus = self._start("system-bus", ["dbus-daemon", f"--config-file={config}", "--nofork"])
        self.root = self.connect()
        self._start("logind", ["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind"],
                    DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.socket}")
        until(lambda: self.owner("org.freedesktop.login1"), what="logind")
        for number, (uid, user) in enumerate([(64102, "bob"), (64103, "carol")], 1):
            call(self.root, "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Mock",
                 "AddSession", "ssusb", f"c{number}", f"seat{number}", uid, user, True)

    def start_broker(self):
        conf, state = os.path.join(self.folder, "conf"), os.path.join(self.folder, "state")
        os.makedirs(state, mode=0o700, exist_ok=True)
        os.chown(state, 64100, 64100)
        with open(os.path.join(conf, "etc", "peerauth.conf"), "w", encoding="ascii") as file:
            file.write(RULES)
        self.broker = self._start(
            "broker", [f"{PROGRAMS}/peerauth-broker", f"--conf-dir={conf}/etc", f"--vendor-dir={conf}/vendor",
                       f"--state-dir={state}"], user="peerauth",
            DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.socket}")
        until(lambda: self.owner(BROKER), what="the broker\n" + self.broker.output())

    def _start(self, name, argv, user="root", **environment):
        process = Process(f"{os.path.basename(self.folder)}-{name}", argv, user, **environment)
        self.processes.append(process)
        return process

    def connect(self):
        connection = connect(self.socket)
        self.connections.append(connection)
        return connection

    def owner(self, name):
        try:
            return call(self.root, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                        "GetNameOwner", "s", name)[0]
        except BusError:
            return None

    def login(self, *args, **kwargs):
        self.logins.append(Login(self, *args, **kwargs))
        return self.logins[-1]

    def as_user(self, user, member, signature, *args):
        """One call of a reviewer from elsewhere, by busctl under the account."""
        process = Process(f"{os.path.basename(self.folder)}-{member}", [
            "busctl", f"--address=unix:path={self.socket}", "call", BROKER, PATH, f"{BROKER}.Reviewer", member,
            signature, *args], user)
        assert process.popen.wait(10) == 0, process.output()

    def lock(self, locked):
        call(self.root, "org.freedesktop.login1", SESSION_OF_BOB, "org.freedesktop.login1.Session", "SetLockedHint",
             "b", locked)

    def stop(self):
        for connection in [login.connection for login in self.logins] + self.connections:
            connection.close()
        for process in reversed(self.processes):
            if process.running():
                process.stop()
        assert not re.search("Sanitizer|runtime error", self.broker.output()), self.broker.output()


class Display:
    """Xvfb, under bob's account."""

    def __init__(self):
        read, write = os.pipe()
        account = pwd.getpwnam("bob")
        self.popen = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x900x24", "-nolisten", "tcp", "-ac"],
            pass_fds=[write], user=account.pw_uid, group=account.pw_gid, extra_groups=[],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as number:
            self.name = ":" + number.readline().strip()

    def run(self, *argv):
        return subprocess.run(argv, env={"PATH": "/usr/bin:/bin", "DISPLAY": self.name}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stop(self):
        self.popen.terminate()
        self.popen.wait()


class Recorder(threading.Thread):
    """What the notifier tells the notification server: a monitor of the session bus."""

    def __init__(self, socket):
        super().__init__(daemon=True)
        self.shown, self.ended = [], False
        self.connection = connect(socket)
        rule = MatchRule(type="method_call", interface="org.freedesktop.Notifications", member="Notify")
        call(self.connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Monitoring",
             "BecomeMonitor", "asu", [rule.serialise()], 0)
        self.start()

    def run(self):
        while not self.ended:
            try:
                message = self.connection.receive(timeout=0.2)
            except TimeoutError:
                continue
            except (ConnectionError, OSError):
                return
            if message.header.fields.get(HeaderFields.member) == "Notify":
                self.shown.append(Shown(*message.body))

    def stop(self):
        self.ended = True
        self.join()
        self.connection.close()


class Shown:
    """One Notify call; its fields are those of the Desktop Notifications Specification."""

    def __init__(self, app, replaces, icon, summary, body, actions, hints, timeout):
        self.app, self.replaces, self.icon, self.summary, self.body = app, replaces, icon, summary, body
        self.buttons = dict(zip(actions[::2], actions[1::2]))
        self.hints = {key: value for key, (_, value) in hints.items()}
        self.timeout = timeout

    def text(self):
        return f"{self.app}\n{self.summary}\n{self.body}\n{self.buttons}\n{self.hints}"


class Desktop:
    """Bob's session: session bus, dunst, notifier."""

    def __init__(self, name, display, system):
        self.name, self.display, self.system = name, display, system
        self.processes, self.dunst, self.notifier = [], None, None
        home = os.path.join(system.folder, "bob")
        os.makedirs(home)
        os.chown(home, 64102, 64102)
        self.socket = os.path.join(home, "bus")
        config = os.path.join(system.folder, "session.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(SESSION_BUS.format(socket=self.socket))
        self.bus = self._start("session-bus", ["dbus-daemon", f"--config-file={config}", "--nofork"])
        self.connection = connect(self.socket)
        self.recorder = Recorder(self.socket)

    def _start(self, name, argv, **environment):
        process = Process(f"{self.name}-{name}", argv, "bob", DISPLAY=self.display.name,
                          DBUS_SESSION_BUS_ADDRESS=f"unix:path={self.socket}", **environment)
        self.processes.append(process)
        return process

    def has_server(self):
        return call(self.connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                    "NameHasOwner", "s", "org.freedesktop.Notifications")[0]

    def start_dunst(self, config=os.path.join(PROGRAMS, "dunstrc")):
        self.dunst = self._start("dunst", ["dunst", "-conf", config])
        until(self.has_server, what="dunst")

    def start_other_server(self, capabilities):
        """A notification server that can do less than dunst."""
        self._start("server", ["/usr/bin/python3", "-m", "dbusmock", "--session", "--template",
                               "notification_daemon", "--parameters", '{"capabilities": "%s"}' % capabilities])
        until(self.has_server, what="the other server")

    def start_notifier(self, *options, follow=True):
        self.notifier = self._start(
            "notifier", [f"{PROGRAMS}/peerauth-notifier", f"--bus=unix:path={self.system.socket}", *options],
            ASAN_OPTIONS="detect_leaks=1",
            G_SLICE="always-malloc")
        before = self.notifier.output().count("following the broker")
        if follow:
            until(lambda: self.notifier.output().count("following the broker") > before, what="the notifier")
        return self.notifier

    def on_screen(self):
        """How many notifications dunst displays."""
        return call(self.connection, "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
                    "org.freedesktop.DBus.Properties", "Get", "ss", "org.dunstproject.cmd0", "displayedLength")[0][1]

    def wait_shown(self, count, seconds=10):
        def settled():
            assert not self.notifier or self.notifier.popen.poll() in (None, 0, -signal.SIGKILL), \
                self.notifier.output()
            return self.on_screen() == count

        _, took = until(settled, seconds, f"{count} notifications on the screen")
        return took

    def last(self):
        until(lambda: self.recorder.shown, what="a notification")
        return self.recorder.shown[-1]

    def choose(self, button):
        """Clicks the upper notification, types into the menu that dunst opens, presses Enter."""
        self.display.run("xdotool", "mousemove", "800", "40", "click", "1")
        until(lambda: self.display.run("xdotool", "search", "--onlyvisible", "--class", "dmenu").stdout.strip(),
              what="dunst's menu")
        time.sleep(0.3)  # until dmenu has grabbed the keyboard, which nothing tells
        self.display.run("xdotool", "type", button)
        self.picture(f"menu-{button}")
        self.display.run("xdotool", "key", "Return")
        until(lambda: not self.display.run("xdotool", "search", "--class", "dmenu").stdout.strip(),
              what="the end of dunst's menu")

    def close_by_hand(self):
        self.display.run("xdotool", "mousemove", "800", "40", "click", "3")

    def picture(self, name):
        folder = os.path.join(BUILD, "desktop")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{re.sub('[^a-z-]+', '-', name.lower())}.png")
        self.display.run("import", "-window", "root", path)
        return path

    def memory_kib(self):
        with open(f"/proc/{self.notifier.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def wake_ups(self):
        """Context switches of all threads so far."""
        total = 0
        for thread in os.listdir(f"/proc/{self.notifier.pid}/task"):
            with open(f"/proc/{self.notifier.pid}/task/{thread}/status", encoding="ascii") as status:
                total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", status.read())))
        return total

    def stop(self):
        status = self.notifier.stop() if self.notifier else 0
        self.recorder.stop()
        self.connection.close()
        for process in reversed(self.processes):
            if process.running():
                process.stop()
        if self.notifier:
            assert status == 0, f"the notifier ended with {status}\n{self.notifier.output()}"
            assert not re.search("Sanitizer|runtime error|GLib.*CRITICAL", self.notifier.output()), \
                self.notifier.output()
