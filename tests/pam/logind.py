#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in the place of systemd-logind: one active local session of each uid named.

usage: logind.py SOCKET UID...
"""

import sys

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.login1"
PATH = "/org/freedesktop/login1"


def main():
    connection = open_dbus_connection(f"unix:path={sys.argv[1]}")
    uids = [int(word) for word in sys.argv[2:]]
    bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    assert connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", (NAME, 4))).body == (1,)
    print("ready", flush=True)
    sessions = [(str(uid), uid, f"user{uid}", "seat0", f"{PATH}/session/_{uid}") for uid in uids]
    properties = {
        "Class": ("s", "user"),
        "State": ("s", "active"),
        "LockedHint": ("b", False),
        "Remote": ("b", False),
    }
    while True:
        message = connection.receive()
        if message.header.message_type != MessageType.method_call:
            continue
        member = message.header.fields[HeaderFields.member]
        if member == "ListSessions":
            connection.send(new_method_return(message, "a(susso)", (sessions,)))
        elif member == "GetAll":
            connection.send(new_method_return(message, "a{sv}", (properties,)))
        else:
            connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, ConnectionResetError):
        pass
