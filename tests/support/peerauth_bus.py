# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real broker on a private system bus, and people of several accounts who talk to it.

The bus is a real dbus-daemon with the stock rules of a system bus and the packaged policy file. logind is
played in a thread, because who is logged in is what the tests vary. The accounts come from the passwd file
that the runner has put over /etc/passwd for this process tree only.
"""

import array
import ctypes
import itertools
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

from jeepney import DBusAddress, HeaderFields, MessageFlag, MessageType, Parser
from jeepney import new_error, new_method_call, new_method_return
from jeepney.fds import FileDescriptor

TOP = pathlib.Path(__file__).resolve().parents[2]
NAME = "org.peerauth.PeerAuth1"
PATH = "/org/peerauth/PeerAuth1"
REQUESTER, REVIEWER, AUDITOR = (f"{NAME}.{role}" for role in ("Requester", "Reviewer", "Auditor"))
ERROR = f"{NAME}.Error."
DBUS = "org.freedesktop.DBus"
DBUS_PATH = "/org/freedesktop/DBus"
ACCESS_DENIED = f"{DBUS}.Error.AccessDenied"
INVALID_ARGS = f"{DBUS}.Error.InvalidArgs"
LIMITS_EXCEEDED = f"{DBUS}.Error.LimitsExceeded"

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
</busconfig>
"""

RULES = """
[Rule exempt]
Service=exempt
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


class BusError(Exception):
    """An error reply: its name and its text."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


def until(condition, seconds=10, what="the condition"):
    """Waits for a true value and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.005)


def listens(path):
    """A socket file is there a moment before somebody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        return sock.connect_ex(path) == 0


def plain(value):
    """a{sv} with the signatures of its values taken away."""
    if isinstance(value, dict):
        return {key: plain(item[1]) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def uid_of(who):
    return who if isinstance(who, int) else pwd.getpwnam(who).pw_uid


def connect_and_authenticate(path, uid):
    """A socket on the bus, up to BEGIN; Hello is not sent yet."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
    answer = sock.recv(512)
    if not answer.startswith(b"OK "):
        raise PermissionError(f"the bus did not authenticate uid {uid}: {answer!r}")
    sock.sendall(b"NEGOTIATE_UNIX_FD\r\n")
    assert sock.recv(512).startswith(b"AGREE_UNIX_FD")
    sock.sendall(b"BEGIN\r\n")
    return sock


class Process:
    """A process of an account, which a test can make do one thing: act(), run in it after it became uid.

    login_uid is what pam_loginuid would have set; it stays when su or sudo change the uid.
    """

    def __init__(self, uid, act, login_uid=None):
        self.near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pid = os.fork()
        if self.pid == 0:
            self._child(far, uid, act, login_uid)
        far.close()

    def _child(self, far, uid, act, login_uid):
        status = 1
        try:
            keep = far.fileno()
            os.closerange(3, keep)
            os.closerange(keep + 1, 4096)
            if login_uid is not None:
                with open("/proc/self/loginuid", "w", encoding="ascii") as file:
                    file.write(str(login_uid))
            if uid is not None:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            act(far)
            status = 0
        except BaseException as error:  # nothing of the parent may run in this process
            try:
                far.sendall(b"!" + repr(error).encode())
            except OSError:
                pass
        finally:
            os._exit(status)

    def end(self):
        self.near.close()
        if self.pid:
            try:
                os.kill(self.pid, signal.SIGKILL)
            finally:
                os.waitpid(self.pid, 0)
            self.pid = 0


class Client:
    """A bus connection of an account. Calls may overlap: send() and reply() are the two halves of call().

    The connection is made by a process of that account, which stays as long as the connection, and its
    socket is handed over: bus and broker see the other process, the test has the messages.
    """

    def __init__(self, path, who, login_uid=None, become=None, hello=True):
        uid = uid_of(who)

        def act(far):
            sock = connect_and_authenticate(path, uid)
            if become is not None:
                os.setresuid(become, become, become)
            socket.send_fds(far, [b"+"], [sock.fileno()])
            sock.close()
            far.recv(1)  # until the test is over

        self.uid, self.closed = uid, False
        self.process = Process(uid, act, login_uid)
        data, fds, _, _ = socket.recv_fds(self.process.near, 4096, 1)
        if data[:1] != b"+":
            self.process.end()
            raise PermissionError(data.decode(errors="replace"))
        self.sock = socket.socket(fileno=fds[0])
        self.parser, self.serials = Parser(), itertools.count(1)
        self.replies, self.signals, self.others = {}, [], []
        if hello:
            self.name = self.call(DBUS, "Hello", destination=DBUS, path=DBUS_PATH)[0]

    def send_message(self, message):
        serial = next(self.serials)
        self.sock.sendall(message.serialise(serial=serial, fds=array.array("i")))
        return serial

    def send(self, interface, member, signature="", *body, destination=NAME, path=PATH):
        return self.send_message(
            new_method_call(DBusAddress(path, destination, interface), member, signature or None, body)
        )

    def receive(self, seconds):
        """Takes in what arrives within this time; False when nothing did."""
        message = self.parser.get_next_message()
        if message is None:
            self.sock.settimeout(max(seconds, 0.0001))
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 65536, 8)
            except (TimeoutError, BlockingIOError):
                return False
            if not data:
                raise ConnectionResetError("the bus ended the connection")
            self.parser.add_data(data, fds=[FileDescriptor(fd) for fd in fds])
            return True
        kind, fields = message.header.message_type, message.header.fields
        if kind in (MessageType.method_return, MessageType.error):
            self.replies[fields[HeaderFields.reply_serial]] = message
        elif kind is MessageType.signal:
            self.signals.append(message)
        else:
            self.others.append(message)
        return True

    def message(self, serial, seconds=10):
        """The reply to a call as a message; None if it did not come in time."""
        end = time.monotonic() + seconds
        while serial not in self.replies:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.receive(left)
        return self.replies.pop(serial)

    def reply(self, serial, seconds=10):
        message = self.message(serial, seconds)
        if message is None:
            raise TimeoutError(f"no answer within {seconds} s")
        if message.header.message_type is MessageType.error:
            raise BusError(message.header.fields[HeaderFields.error_name], message.body[0] if message.body else "")
        return message.body

    def call(self, interface, member, signature="", *body, seconds=10, **address):
        return self.reply(self.send(interface, member, signature, *body, **address), seconds)

    def bus(self, member, signature="", *body, interface=DBUS):
        """A call on the bus daemon."""
        return self.call(interface, member, signature, *body, destination=DBUS, path=DBUS_PATH)

    def listen(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.receive(left)

    # The calls of the protocol.

    def create(self, user, service, **facts):
        body = {"user": ("s", user), "service": ("s", service)}
        for key, value in facts.items():
            body[key.replace("_", "-")] = ("t", value) if isinstance(value, int) else ("s", value)
        return self.call(REQUESTER, "CreateRequest", "a{sv}", body)

    def approve(self, login, code=None, note=""):
        return self.reply(self.send_approve(login, code, note))

    def send_approve(self, login, code=None, note=""):
        identity = login if isinstance(login, str) else login.id
        return self.send(REVIEWER, "Approve", "sssa{sv}", identity, login.code if code is None else code, note, {})

    def deny(self, login, note=""):
        return self.reply(self.send_deny(login, note))

    def send_deny(self, login, note=""):
        return self.send(REVIEWER, "Deny", "ssa{sv}", login if isinstance(login, str) else login.id, note, {})

    def get(self, login):
        return plain(self.call(REVIEWER, "GetRequest", "s", login if isinstance(login, str) else login.id)[0])

    def requests(self, **filters):
        listed, total = self.call(REVIEWER, "ListRequests", "a{sv}", {k: ("u", v) for k, v in filters.items()})
        return [plain(request) for request in listed], total

    def statistics(self):
        return plain(self.call(AUDITOR, "GetStatistics")[0])

    def leave(self):
        """The connection ends as it does when a process is killed."""
        if not self.closed:
            self.closed = True
            self.sock.close()
            self.process.end()


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
        self.sessions, self.hangs, self.over, self.lock = {}, False, False, threading.Lock()
        self.client = Client(path, 0)
        assert self.client.bus("RequestName", "su", "org.freedesktop.login1", 4) == (1,)
        self.start()

    def add(self, who, session=None, **properties):
        uid = uid_of(who)
        facts = {"Class": "user", "State": "active", "LockedHint": False, "Remote": False, **properties}
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
            facts = {k: ("b" if isinstance(v, bool) else "s", v) for k, v in session[2].items()}
            # A struct in between, as the real one has it: readers must step over what they do not know.
            facts = {"User": ("(uo)", (session[0], "/org/freedesktop/login1/user/x")), **facts}
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
        assert self.broker.running(), self.broker.output()
        return self.control.bus("NameHasOwner", "s", NAME)[0]

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


def raw_call(serial, interface, member, signature, body, destination=NAME, path=PATH, no_reply=False):
    """The bytes of a call."""
    message = new_method_call(DBusAddress(path, destination, interface), member, signature or None, body)
    if no_reply:
        message.header.flags = MessageFlag.no_reply_expected
    return message.serialise(serial=serial)


def header_size(frame):
    """Bytes of a little-endian message before its body."""
    return (16 + struct.unpack_from("<I", frame, 12)[0] + 7) // 8 * 8
