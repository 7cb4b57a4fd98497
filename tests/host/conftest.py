# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workstation that the tests of one host share: accounts, sshd, the module in the stacks, reviewers."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import evidence  # noqa: E402
import workstation as w  # noqa: E402

# Runs as anybody in the host: a call with the arguments as JSON; prints body or error as JSON.
BUS_CALL = """#!/usr/bin/python3
import json, sys
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection
name = "org.peerauth.PeerAuth1"
bus = open_dbus_connection("unix:path=/run/dbus/system_bus_socket")
address = DBusAddress("/org/peerauth/PeerAuth1", name, name + "." + sys.argv[1])
call = new_method_call(address, sys.argv[2], sys.argv[3] or None, tuple(json.loads(sys.argv[4])))
answer = bus.send_and_get_reply(call, timeout=20)
if answer.header.message_type is MessageType.error:
    print(json.dumps({"error": answer.header.fields[HeaderFields.error_name]}))
else:
    print(json.dumps({"body": answer.body}))
"""


@pytest.fixture(scope="session")
def host():
    """Accounts, sshd on the loopback address, and the module enabled as the manual says."""
    assert pathlib.Path("/run/peerauth-host").exists(), "only inside a disposable host: tests/host/check"
    pathlib.Path("/usr/local/bin/bus-call").write_text(BUS_CALL)
    pathlib.Path("/usr/local/bin/bus-call").chmod(0o755)
    w.add_people()
    w.write_policy(evidence.BASE_POLICY)
    w.start_sshd()
    w.enable_module()


@pytest.fixture(scope="session")
def desk(host):
    """Who is logged in at the console; logs in whoever is missing: desk("bob")."""
    people = {}

    def person(name):
        if name not in people or not people[name].terminal.child.isalive():
            people[name] = evidence.Person(name)
        return people[name]

    return person


@pytest.fixture
def dave(desk):
    return desk("dave")


@pytest.fixture
def bob(desk):
    return desk("bob")


@pytest.fixture
def carol(desk):
    return desk("carol")


@pytest.fixture
def ledger(host):
    return evidence.Ledger()


@pytest.fixture
def journal(host):
    return evidence.Journal()


@pytest.fixture
def policy(host):
    """Puts a policy in force until the test has ended."""
    yield w.write_policy
    w.write_policy(evidence.BASE_POLICY)


@pytest.fixture
def module_arguments(host):
    yield evidence.module_arguments
    evidence.module_arguments("")


@pytest.fixture
def sshd_settings(host):
    yield evidence.sshd_settings
    evidence.sshd_settings()


@pytest.fixture(autouse=True)
def nothing_waits(request):
    """A test leaves no request behind: its terminals are its own affair, but the next test counts requests."""
    yield
    if "host" in request.fixturenames and evidence.broker_pid():
        w.run("pkill", "--exact", "ssh", check=False)
        try:
            w.wait_for("no request waits", lambda: not w.pending(), seconds=5)
        except AssertionError:
            w.run("systemctl", "restart", "peerauth-broker")  # or all that follow would fail with this one
            raise
