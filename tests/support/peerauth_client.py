# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections to a private bus that belong to processes of other accounts, with control over each message."""

import array
import itertools
import os
import pwd
import signal
import socket
import struct
import time

from jeepney import DBusAddress, HeaderFields, MessageFlag, MessageType, Parser, new_method_call
from jeepney.fds import FileDescriptor

NAME = "org.peerauth.PeerAuth1"
PATH = "/org/peerauth/PeerAuth1"
REQUESTER, REVIEWER, AUDITOR, ADMINISTRATOR = (
    f"{NAME}.{role}" for role in ("Requester", "Reviewer", "Auditor", "Administrator"))
ERROR = f"{NAME}.Error."
DBUS = "org.freedesktop.DBus"
DBUS_PATH = "/org/freedesktop/DBus"
ACCESS_DENIED = f"{DBUS}.Error.AccessDenied"
INVALID_ARGS = f"{DBUS}.Error.InvalidArgs"
LIMITS_EXCEEDED = f"{DBUS}.Error.LimitsExceeded"


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
        types = {bool: "b", int: "t", str: "s"}
        for key, value in facts.items():
            body[key.replace("_", "-")] = (types[type(value)], value)
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


def raw_call(serial, interface, member, signature, body, destination=NAME, path=PATH, no_reply=False):
    """The bytes of a call."""
    message = new_method_call(DBusAddress(path, destination, interface), member, signature or None, body)
    if no_reply:
        message.header.flags = MessageFlag.no_reply_expected
    return message.serialise(serial=serial)


def header_size(frame):
    """Bytes of a little-endian message before its body."""
    return (16 + struct.unpack_from("<I", frame, 12)[0] + 7) // 8 * 8
