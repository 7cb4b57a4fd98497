#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A colleague at the bus, started as the account that is meant.

usage: reviewer.py SOCKET

Reads commands and prints one JSON line for each: "list", "approve ID CODE NOTE...", "deny ID NOTE...".
"""

import json
import sys

from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

BROKER = DBusAddress(
    "/org/peerauth/PeerAuth1", bus_name="org.peerauth.PeerAuth1", interface="org.peerauth.PeerAuth1.Reviewer"
)


def plain(value):
    """jeepney's (signature, value) pairs of a dictionary, without the signatures."""
    return {key: item[1] for key, item in value.items()}


def run(connection, words):
    verb, arguments = words[0], words[1:]
    if verb == "list":
        call = new_method_call(BROKER, "ListRequests", "a{sv}", ({},))
    elif verb == "approve":
        ident, code, *note = arguments
        call = new_method_call(BROKER, "Approve", "sssa{sv}", (ident, code, " ".join(note), {}))
    else:
        ident, *note = arguments
        call = new_method_call(BROKER, "Deny", "ssa{sv}", (ident, " ".join(note), {}))
    reply = connection.send_and_get_reply(call)
    if reply.header.message_type == MessageType.error:
        return {"error": reply.header.fields[HeaderFields.error_name], "text": reply.body}
    if verb == "list":
        return {"requests": [plain(request) for request in reply.body[0]]}
    return {"state": reply.body[0], "missing": reply.body[1]}


def main():
    connection = open_dbus_connection(f"unix:path={sys.argv[1]}")
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(connection, line.split())), flush=True)


if __name__ == "__main__":
    main()
