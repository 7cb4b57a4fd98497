#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An attacker who has got hold of the broker's name, or of a place on the bus beside it.

usage: peer.py SOCKET CREATE WAIT [SESSION [REDEEM]]

CREATE, WAIT, SESSION and REDEEM say how the calls are answered; CREATE may be AUTH/ACCOUNT, for the two stages
of a login, and REDEEM has a word for each of its calls, with commas between. With WAIT=hold the decision comes
when a word of REDEEM says so. It prints "ready", then a line for each call: its name and, as JSON, its arguments.
"""

import json
import socket
import struct
import sys
import time

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_return, new_signal
from jeepney import new_method_call
from jeepney.io.blocking import open_dbus_connection

NAME = "org.peerauth.PeerAuth1"
ID = "0123456789abcdef0123456789abcdef"
CODE = "482913"
QUESTION = "Why do you log in?"


def boottime(seconds=0):
    return int((time.clock_gettime(time.CLOCK_BOOTTIME) + seconds) * 1e6)


DETAILS = {
    "needed": ("u", 1),
    "reachable": ("u", 1),
    "reviewers": ("s", "1 of peerauth-reviewers"),
    "message": ("s", ""),
    "rule": ("s", "test"),
}
ALONE = {**DETAILS, "reachable": ("u", 0)}


def created(outcome="pending", ident=ID, code=CODE, seconds=60, details=DETAILS):
    return "ssst" + "a{sv}", (outcome, ident, code, boottime(seconds), details)


def decided(word, **details):
    return "sa{sv}", (word, details)


# name -> (signature, body), made when the call comes because of the deadline
CREATE = {
    "pending": created,
    "soon": lambda: created(seconds=2),
    "past": lambda: created(seconds=-10),
    "zero": lambda: ("ssst" + "a{sv}", ("pending", ID, CODE, 0, DETAILS)),
    "endless": lambda: ("ssst" + "a{sv}", ("pending", ID, CODE, 2**64 - 1, DETAILS)),
    "exempt": lambda: created("exempt", "", ""),
    "denied": lambda: created("denied", "", "", details={"message": ("s", "No."), "rule": ("s", "r")}),
    "enough": lambda: created(details={**DETAILS, "enough": ("b", True)}),
    "too-few": lambda: created(details={**DETAILS, "enough": ("b", False)}),
    "recovery": lambda: created(details={**DETAILS, "recovery": ("b", True)}),
    "recovery-soon": lambda: created(seconds=2, details={**ALONE, "recovery": ("b", True)}),
    "recovery-too-few": lambda: created(
        details={**DETAILS, "enough": ("b", False), "recovery": ("b", True)},
    ),
    "recovery-alone": lambda: created(details={**ALONE, "recovery": ("b", True)}),
    "recovery-longest": lambda: created(
        details={
            "reachable": ("u", 0),
            "enough": ("b", False),
            "reviewers": ("s", "r" * 5000),
            "recovery": ("b", True),
        }
    ),
    "alone": lambda: created(details=ALONE),
    "no-recovery": lambda: created(details={**ALONE, "recovery": ("b", False)}),
    "odd-recovery": lambda: created(details={**ALONE, "recovery": ("s", "yes")}),
    "odd-enough": lambda: created(details={**DETAILS, "enough": ("u", 0)}),
    "longest": lambda: created(
        details={
            "reachable": ("u", 2**32 - 1),
            "enough": ("b", False),
            "reviewers": ("s", "r" * 5000),
        }
    ),
    "approved": lambda: created("approved"),
    "expired": lambda: created("expired"),
    "unknown-word": lambda: created("granted"),
    "upper-case": lambda: created("APPROVED"),
    "empty-word": lambda: created(""),
    "short-id": lambda: created(ident="0123"),
    "odd-id": lambda: created(ident="0123456789ABCDEF0123456789ABCDEF"),
    "no-code": lambda: created(code=""),
    "odd-code": lambda: created(code="48291x"),
    "long-code": lambda: created(code="4829134"),
    "empty-body": lambda: ("", ()),
    "only-word": lambda: ("s", ("approved",)),
    "numbers": lambda: ("u", (0,)),
    "boolean": lambda: ("b", (True,)),
    "variant": lambda: ("v", (("s", "approved"),)),
    "wrong-detail": lambda: created(details={**DETAILS, "needed": ("s", "one")}),
    "nested": lambda: created(details={**DETAILS, "reviewers": ("a{sv}", {"x": ("s", "y")})}),
    "effects": lambda: created(
        details={**DETAILS, "reviewers": ("s", "\x1b]0;x\x07\x1b[2J\u202e\nCode 111 111\n" + "x" * 5000)}
    ),
}

ERROR = NAME + ".Error."
REDEEM_ERROR = {
    "wrong": ERROR + "CodeMismatch",
    "locked": ERROR + "Locked",
    "limited": ERROR + "RateLimited",
    "decided": ERROR + "AlreadyDecided",
    "expired": ERROR + "Expired",
    "gone": ERROR + "NoSuchRequest",
    "no-code": "org.freedesktop.DBus.Error.InvalidArgs",
    "old-broker": "org.freedesktop.DBus.Error.UnknownMethod",
}

SESSION = {"ok": lambda: ("", ()), "number": lambda: ("u", (1,))}

WAIT = {
    "approved": lambda: decided("approved", by=("as", ["bob"]), note=("s", "seen at the desk")),
    "denied": lambda: decided("denied", by=("as", ["bob"]), note=("s", "not her")),
    "recovered": lambda: decided("approved", by=("as", ["a recovery code"])),
    "one-time": lambda: decided("approved", by=("as", ["a one-time password"])),
    "too-many": lambda: decided("denied", reason=("s", "Too many wrong codes.")),
    "expired": lambda: decided("expired"),
    "cancelled": lambda: decided("cancelled"),
    "pending": lambda: decided("pending"),
    "exempt": lambda: decided("exempt"),
    "unknown-word": lambda: decided("granted"),
    "upper-case": lambda: decided("Approved"),
    "padded": lambda: decided("approved "),
    "empty-word": lambda: decided(""),
    "empty-body": lambda: ("", ()),
    "only-word": lambda: ("s", ("approved",)),
    "boolean": lambda: ("b", (True,)),
    "number": lambda: ("u", (3,)),
    "variant": lambda: ("v", (("s", "approved"),)),
    "array": lambda: ("as", (["approved"],)),
    "wrong-by": lambda: decided("approved", by=("s", "bob")),
    "wrong-note": lambda: decided("approved", note=("u", 1)),
    "effects": lambda: decided(
        "denied", by=("as", ["b\x1b[31mob"]), note=("s", "\x1b]0;x\x07\u202e\n" + "n" * 10000)
    ),
}


def answer(connection, message, signature, body):
    connection.send(new_method_return(message, signature, body))


def forge(connection, victim):
    """What a stranger may try: a verdict as a signal, and as a reply that nobody asked him for."""
    broker = DBusAddress("/org/peerauth/PeerAuth1", bus_name=victim, interface=NAME + ".Requester")
    for member in ("Decided", "RequestChanged", "WaitDecision"):
        connection.send(_to(victim, new_signal(broker, member, "sa{sv}", ("approved", {}))))
    for serial in range(1, 8):
        reply = new_method_return(new_method_call(broker, "WaitDecision"), "sa{sv}", ("approved", {}))
        reply.header.fields[HeaderFields.reply_serial] = serial
        reply.header.fields[HeaderFields.destination] = victim
        connection.send(reply)


def _to(victim, message):
    message.header.fields[HeaderFields.destination] = victim
    return message


def garbage(connection, victim):
    """A reply whose body is not what its header says, put on the wire by hand."""
    connection.sock.sendall(b"l\x02\x00\x01" + struct.pack("<III", 64, 9, 0) + b"\xff" * 64)


def take_name(connection):
    bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    # DBUS_NAME_FLAG_ALLOW_REPLACEMENT | DBUS_NAME_FLAG_REPLACE_EXISTING
    reply = connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", (NAME, 3)))
    assert reply.body == (1,), reply


def act(connection, message, how, table):
    victim = message.header.fields[HeaderFields.sender]
    if how in table:
        answer(connection, message, *table[how]())
    elif how.startswith("error="):
        text = "because \x1b[2J it is so"
        connection.send(new_error(message, how.removeprefix("error="), "s", (text,)))
    elif how.startswith("late="):
        seconds, _, then = how.removeprefix("late=").partition(",")
        time.sleep(float(seconds))
        act(connection, message, then, table)
    elif how.startswith("ask,"):
        if "reason" in message.body[0]:
            act(connection, message, how.removeprefix("ask,"), table)
        else:
            act(connection, message, f"question={QUESTION}", table)
    elif how.startswith("question="):
        name = NAME + ".Error.ReasonNeeded"
        connection.send(new_error(message, name, "s", (how.removeprefix("question="),)))
    elif how == "flood":
        address = DBusAddress("/x", bus_name=victim, interface="x.y")
        end = time.monotonic() + 8
        while time.monotonic() < end:
            connection.send(_to(victim, new_signal(address, "Z", "s", ("z" * 1000,))))
    elif how == "garbage":
        garbage(connection, victim)
    elif how == "die":
        sys.exit(0)
    elif how == "disown":
        bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        connection.send_and_get_reply(new_method_call(bus, "ReleaseName", "s", (NAME,)))
    elif how != "silence":
        raise SystemExit(f"unknown behaviour {how}")


held = []  # the call that waits for the decision


def decide(connection, word):
    if held:  # the module that has a fault to meet may not have asked
        answer(connection, held.pop(), *WAIT[word]())


def redeem(connection, message, word):
    """One word of REDEEM: an answer, and perhaps a decision before or after it."""
    before, _, rest = word.rpartition("<")  # DECISION<ANSWER
    reply, _, after = rest.partition(">")  # ANSWER>DECISION
    if before:
        decide(connection, before)
    if reply.startswith("late="):
        time.sleep(float(reply.removeprefix("late=")))
        reply = "ok"
    if reply == "ok":
        answer(connection, message, "", ())
    elif reply == "odd":
        answer(connection, message, "sa{sv}", ("approved", {}))
    elif reply in REDEEM_ERROR:
        connection.send(new_error(message, REDEEM_ERROR[reply], "s", ("\x1b[2J because",)))
    elif reply == "die":
        sys.exit(0)
    elif reply != "silence":
        raise SystemExit(f"unknown behaviour {word}")
    if after:
        decide(connection, after)


def plain(value):
    """A dictionary of variants without their types."""
    return {key: item[1] for key, item in value.items()} if isinstance(value, dict) else value


def of_stage(create, arguments):
    """AUTH/ACCOUNT -> the one that is meant."""
    auth, _, account = create.partition("/")
    return account or auth if arguments.get("stage") == "account" else auth


def main():
    path, create, wait, *rest = sys.argv[1:]
    session, script = rest + ["ok", "silence"][len(rest) :]
    words = []
    connection = open_dbus_connection(f"unix:path={path}")
    if create == "bystander":
        print("ready", flush=True)
        while True:  # the victim has one of the first unique names of this bus
            for number in range(2, 30):
                try:
                    forge(connection, f":1.{number}")
                except (BrokenPipeError, ConnectionResetError):
                    return
            time.sleep(0.05)
    take_name(connection)
    print("ready", flush=True)
    while True:
        message = connection.receive()
        if message.header.message_type != MessageType.method_call:
            continue
        member = message.header.fields[HeaderFields.member]
        arguments = [plain(value) for value in message.body]
        print(member, json.dumps(arguments), flush=True)
        if member == "CreateRequest":
            words = script.split(",")
            act(connection, message, of_stage(create, arguments[0]), CREATE)
        elif member in ("SessionOpened", "SessionClosed"):
            act(connection, message, session, SESSION)
        elif member == "Redeem":
            redeem(connection, message, words.pop(0) if len(words) > 1 else words[0])
        elif member == "WaitDecision" and wait == "hold":
            held.append(message)
        elif member == "WaitDecision":
            act(connection, message, wait, WAIT)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, ConnectionResetError, socket.error):
        pass
