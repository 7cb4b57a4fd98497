# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real broker on a private system bus, and people of several accounts who talk to it.

The bus is a real dbus-daemon with the stock rules of a system bus and the packaged policy file. logind is
played in a thread, because who is logged in is what the tests vary. The accounts come from the passwd file
that the runner has put over /etc/passwd for this process tree only.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from peerauth_client import (  # noqa: F401  the tests name what is in both files bus.X
    ACCESS_DENIED, ADMINISTRATOR, AUDITOR, DBUS, DBUS_PATH, ERROR, INVALID_ARGS, LIMITS_EXCEEDED, NAME, PATH, REQUESTER, REVIEWER,
    BusError, Client, Process, boottime, connect_and_authenticate, header_size, listens, plain, raw_call, uid_of, until,
)

TOP = pathlib.Path(__file__).resolve().parents[2]
# Sanitizers keep freed memory, so what a test says of the size of the broker does not hold under them.
SANITIZED = re.search("asan|tsan", os.environ.get("PEERAUTH_BUILD", "")) is not None

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
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
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"
          send_member="UpdateActivationEnvironment"/>
    <allow send_destination="org.freedesktop.login1"/>
  </policy>
  <policy user="root">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
    <allow own="org.freedesktop.login1"/>
  </policy>
  <include>{policy}</include>
  <include ignore_missing="yes">/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
</busconfig>
"""

RULES = """
[Rule exempt]
Service=exempt
Action=exempt

[Rule exempt-account]
Service=door
User=alice
Action=exempt

[Rule forbidden]
Service=forbidden
Action=deny

[Rule one]
Service=one
Action=require
Reviewers=peerauth-reviewers:1
Admins=peerauth-admins

[Rule two]
Service=two
Action=require
Reviewers=peerauth-reviewers:2
Admins=peerauth-admins

[Rule compare]
Service=compare
Action=require
Reviewers=peerauth-reviewers:1
Code=compare

[Rule remote]
Service=remote
Action=require
Reviewers=peerauth-reviewers:1
RemoteReviewers=yes

[Rule short]
Service=short
Action=require
Reviewers=peerauth-reviewers:1
Expires=10s

[Rule others]
Service=others
Action=require
Reviewers=others:1

[Rule nobody]
Service=nobody
Action=require
Reviewers=no-such-group:1
"""


class Login:
    """A login that waits, as the PAM module does it."""

    def __init__(self, system, user="alice", service="one", client=None, wait=True, **facts):
        self.system, self.client = system, client or system.client("root")
        outcome, self.id, self.code, deadline, info = self.client.create(user, service, **facts)
        self.outcome, self.deadline, self.info = outcome, deadline / 1e6, plain(info)
        if self.code:
            system.codes.append(self.code)
        self.waiting = self.wait() if wait and outcome == "pending" else None

    def wait(self):
        return self.client.send(REQUESTER, "WaitDecision", "s", self.id)

    def verdict(self, seconds=10):
        """The decision and its details; None while there is none."""
        message = self.client.message(self.waiting, seconds)
        if message is None:
            return None
        if message.header.message_type is MessageType.error:
            raise BusError(message.header.fields[HeaderFields.error_name], message.body[0])
        return message.body[0], plain(message.body[1])

    def entries(self):
        return [entry for entry in self.system.entries() if entry.get("request") == self.id]

    def kinds(self):
        return [entry["kind"] for entry in self.entries()]


class Logind(threading.Thread):
    """Answers as logind does: ListSessions, and the properties of a session."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.sessions, self.leaders = {}, {}
        self.hangs, self.over, self.lock = False, False, threading.Lock()
        self.client = Client(path, 0)
        assert self.client.bus("RequestName", "su", "org.freedesktop.login1", 4) == (1,)
        self.start()

    def add(self, who, session=None, **properties):
        uid = uid_of(who)
        facts = {"Class": "user", "State": "active", "LockedHint": False, "Remote": False}
        facts |= {"Timestamp": time.time_ns() // 1000, "TimestampMonotonic": time.monotonic_ns() // 1000, **properties}
        with self.lock:
            session = session or f"c{len(self.sessions) + 1}"
            self.sessions[session] = (uid, str(who), facts)
        return session

    def change(self, session, **properties):
        with self.lock:
            self.sessions[session][2].update(properties)

    def remove(self, session):
        with self.lock:
            del self.sessions[session]

    def _answer(self, call):
        fields = call.header.fields
        path, member = fields[HeaderFields.path], fields[HeaderFields.member]
        with self.lock:
            if member == "ListSessions":
                listed = [
                    (name, uid, user, "seat0", f"/org/freedesktop/login1/session/{name}")
                    for name, (uid, user, _) in self.sessions.items()
                ]
                return new_method_return(call, "a(susso)", (listed,))
            session = self.sessions.get(path.rsplit("/", 1)[1])
            if member != "GetAll" or session is None:
                return new_error(call, f"{DBUS}.Error.UnknownObject", "s", ("no such session",))
            types = {bool: "b", int: "t", str: "s"}
            facts = {k: (types[type(v)], v) for k, v in session[2].items()}
            facts = {
                "Id": ("s", path.rsplit("/", 1)[1]),
                "User": ("(uo)", (session[0], "/org/freedesktop/login1/user/x")),
                "Leader": ("u", self.leaders.get(path.rsplit("/", 1)[1], 0)),
                "Seat": ("(so)", ("seat0", "/")),  # readers must step over what they do not know
                **facts,
            }
            return new_method_return(call, "a{sv}", (facts,))

    def run(self):
        while not self.over:
            try:
                self.client.receive(0.05)
            except (OSError, ConnectionError):
                return
            calls, self.client.others = self.client.others, []
            for call in calls:
                if not self.hangs:
                    self.client.send_message(self._answer(call))

    def stop(self):
        self.over = True
        self.join()
        self.client.leave()


class Broker:
    """The built program under its own account."""

    def __init__(self, system, name="broker", state=None, socket_path=None, options=("--debug",), shim=None, rules=None):
        self.folder = system.folder
        self.state = state or system.folder / "state"
        self.log_path = system.folder / f"{name}.log"
        self.conf = system.folder / f"conf-{name}"
        self.conf.mkdir(exist_ok=True)
        self.write_rules(RULES if rules is None else rules)
        if not self.state.exists():
            self.state.mkdir(mode=0o700)
            os.chown(self.state, 64100, 64100)
        environment = {
            "PATH": "/usr/bin:/bin",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={socket_path or system.socket}",
            # A process that is not dumpable cannot be traced, which the leak checker would do at the end.
            "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0:abort_on_error=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        if shim:
            environment |= {"LD_PRELOAD": str(system.work / "shim.so"), "PEERAUTH_TEST_SHIM": str(shim.path)}
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [
                system.work / "peerauth-broker",
                f"--conf-dir={self.conf}",
                f"--vendor-dir={self.conf}/vendor",
                f"--state-dir={self.state}",
                *options,
            ],
            env=environment,
            user=64100,
            group=64100,
            extra_groups=[],
            cwd=system.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.pid = self.process.pid

    def write_rules(self, rules):
        (self.conf / "peerauth.conf").write_text(rules)

    def reload(self, rules, says):
        """SIGHUP with new rules; says is in the line that tells that it happened."""
        before = len(self.output())
        self.write_rules(rules)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: says in self.output()[before:], what="the reload")

    def output(self):
        return self.log_path.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self, seconds=15):
        if self.running():
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the broker did not end on SIGTERM") from None
        self.log.close()
        return status


class ShimState(ctypes.Structure):
    """Shared with shim.c."""

    _fields_ = [("realtime_shift", ctypes.c_int64), ("name_service_hangs", ctypes.c_int32)]


class Shim:
    def __init__(self, folder):
        self.path = folder / "shim"
        self.path.write_bytes(bytes(ctypes.sizeof(ShimState)))
        self.path.chmod(0o644)

    def set(self, **values):
        with open(self.path, "r+b") as file:
            state = ShimState.from_buffer_copy(file.read())
            for key, value in values.items():
                setattr(state, key, value)
            file.seek(0)
            file.write(bytes(state))


class System:
    """Bus, logind, broker, and whoever connects."""

    SESSIONS = ("bob", "carol", "dave", "erin", "frank", "root", "alice", "mallory")

    def __init__(self, folder):
        self.folder, self.work = folder, pathlib.Path(os.environ["PEERAUTH_WORK"])
        self.socket = str(folder / "bus")
        self.codes, self.clients, self.brokers, self.buses = [], [], [], []
        self.broker = self.logind = None
        self.start_bus(self.socket)
        self.control = self.client("root")
        self.start_logind()

    def start_bus(self, path):
        config = self.folder / f"{os.path.basename(path)}.conf"
        policy = self.work / "org.peerauth.PeerAuth1.conf"
        config.write_text(BUS_CONFIG.format(socket=path, policy=policy))
        daemon = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog"],
            stderr=open(self.folder / "bus.log", "ab"),
        )
        self.buses.append(daemon)
        until(lambda: listens(path), what="the bus")

    def start_logind(self):
        self.logind = Logind(self.socket)
        for who in self.SESSIONS:
            self.logind.add(who, session=who)

    def start_broker(self, wait=True, **options):
        self.broker = Broker(self, **options)
        self.brokers.append(self.broker)
        if wait:
            until(self.serving, what=f"the broker\n{self.broker.output()}")
        return self.broker

    def serving(self):
        """The name is there, and so is the first entry; or a reason why there is none."""
        assert self.broker.running(), self.broker.output()
        if not self.control.bus("NameHasOwner", "s", NAME)[0]:
            return False
        statistics = self.control.statistics()
        return statistics["ledger-size"] > 0 or statistics["ledger-message"]

    def client(self, who, **options):
        self.clients.append(Client(self.socket, who, **options))
        return self.clients[-1]

    def login(self, *args, **options):
        return Login(self, *args, **options)

    def bodies(self, state=None):
        """Every entry of the database as it is stored, read without the broker."""
        state = state or self.broker.state
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):
            if (state / name).exists():
                shutil.copy(state / name, copy / name)
        database = sqlite3.connect(copy / "ledger.db")
        rows = database.execute("SELECT idx, CAST(body AS TEXT) FROM entry ORDER BY idx").fetchall()
        database.close()
        assert [index for index, _ in rows] == list(range(len(rows)))
        return [body for _, body in rows]

    def entries(self):
        return [json.loads(body) for body in self.bodies()]

    def stop(self):
        for client in self.clients:
            client.leave()
        statuses = [broker.stop() for broker in self.brokers if broker.running()]
        self.logind.stop()
        for daemon in self.buses:
            daemon.kill()
            daemon.wait()
        output = "".join(broker.output() for broker in self.brokers)
        assert not re.search("Sanitizer|runtime error", output), output
        assert all(status == 0 for status in statuses), (statuses, output)
        self.check_codes(output)

    def check_codes(self, output):
        """No code that was given out stands in a log or a ledger (attack C7)."""
        text = output + "".join("".join(self.bodies(b.state)) for b in self.brokers if (b.state / "ledger.db").exists())
        for code in self.codes:
            assert not re.search(rf"(?<![0-9a-f]){code}(?![0-9a-f])", text), f"code {code} leaked"
