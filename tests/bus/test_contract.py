# SPDX-License-Identifier: LGPL-2.1-or-later
"""The broker's interfaces, the packaged descriptions of them, and the bus policy say the same."""

import fcntl
import os
import re
import xml.etree.ElementTree as ElementTree

import pytest
from jeepney import DBusAddress, HeaderFields, new_method_call

import peerauth_bus as bus
from peerauth_bus import BusError

PACKAGED = bus.TOP / "packaging/dbus"


def shape(tree):
    """{interface: {(kind, member): [(direction, type, name), ...]}} of our own interfaces."""
    return {
        interface.get("name"): {
            (member.tag, member.get("name")): [
                (arg.get("direction", "out"), arg.get("type"), arg.get("name")) for arg in member.iter("arg")
            ]
            for member in interface
            if member.tag in ("method", "signal", "property")
        }
        for interface in tree.iter("interface")
        if interface.get("name").startswith(bus.NAME)
    }


def packaged():
    merged = {}
    for file in sorted((PACKAGED / "interfaces").glob("*.xml")):
        found = shape(ElementTree.parse(file).getroot())
        assert list(found) == [file.stem], f"{file.name} holds one interface of its name"
        merged |= found
    return merged


def test_introspection_is_what_is_packaged(system):
    text = system.client("mallory").call(f"{bus.DBUS}.Introspectable", "Introspect")[0]
    assert shape(ElementTree.fromstring(text)) == packaged()


def test_each_member_has_one_allow_line():
    """And nothing is allowed that is not there; introspection and Peer come beside."""
    root = ElementTree.parse(PACKAGED / "org.peerauth.PeerAuth1.conf").getroot()
    default = root.find("policy[@context='default']")
    allowed = [
        (line.get("send_interface"), line.get("send_member"))
        for line in default.iter("allow")
        if line.get("send_destination") == bus.NAME
    ]
    methods = [(name, member) for name, members in packaged().items() for kind, member in members if kind == "method"]
    others = [(f"{bus.DBUS}.Introspectable", "Introspect"), (f"{bus.DBUS}.Peer", "Ping"), (f"{bus.DBUS}.Peer", "GetMachineId")]
    assert sorted(allowed) == sorted(methods + others)
    assert len(list(default.iter("allow"))) == len(allowed)


def test_names_in_the_header():
    """common/protocol.h has the same interfaces and limits as the tests rely on."""
    header = (bus.TOP / "common/protocol.h").read_text()
    defined = dict(re.findall(r'#define (PEERAUTH_\w+) +"([^"]*)"', header))
    interfaces = {value for key, value in defined.items() if key.startswith("PEERAUTH_IFACE_")}
    assert interfaces == set(packaged()) == {bus.REQUESTER, bus.REVIEWER, bus.AUDITOR, bus.ADMINISTRATOR}
    assert (defined["PEERAUTH_BUS_NAME"], defined["PEERAUTH_OBJECT_PATH"]) == (bus.NAME, bus.PATH)
    signals = {member for members in packaged().values() for kind, member in members if kind == "signal"}
    assert signals == {defined["PEERAUTH_SIGNAL_CHANGED"]}


@pytest.mark.parametrize(("interface", "member", "signature", "body"), [
    (f"{bus.DBUS}.Properties", "GetAll", "s", (bus.REVIEWER,)),
    (f"{bus.DBUS}.Properties", "Set", "ssv", (bus.REVIEWER, "x", ("u", 1))),
    (f"{bus.DBUS}.ObjectManager", "GetManagedObjects", "", ()),
    (bus.REVIEWER, "Unheard", "", ()), (bus.REQUESTER, "Approve", "sssa{sv}", ("", "", "", {})), ("x.y", "Approve", "", ()),
])  # fmt: skip
def test_nothing_else_gets_through(system, interface, member, signature, body):
    for who in ("root", "bob", "mallory"):
        with pytest.raises(BusError) as error:
            system.client(who).call(interface, member, signature, *body)
        assert error.value.name == bus.ACCESS_DENIED


def test_calls_without_an_interface(system):
    """The bus refuses them, or the broker treats them as the one with the interface."""
    mallory = system.client("mallory")
    message = new_method_call(DBusAddress(bus.PATH, bus.NAME, bus.AUDITOR), "GetCheckpoint")
    del message.header.fields[HeaderFields.interface]
    with pytest.raises(BusError) as error:
        mallory.reply(mallory.send_message(message))
    assert error.value.name == bus.ACCESS_DENIED


def test_peer(system):
    assert system.client("mallory").call(f"{bus.DBUS}.Peer", "Ping") == ()


def test_the_snapshot_is_read_only(system):
    login = system.login()
    system.client("bob").approve(login)
    olga = system.client("olga")
    handle, note, vkey = olga.call(bus.AUDITOR, "OpenSnapshot")
    fd = handle.to_raw_fd()
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    assert os.pread(fd, 16, 0) == b"SQLite format 3\0"
    assert int(note.split("\n")[1]) == len(system.entries())
    assert vkey.split("+")[0] == note.split("\n")[0]
    with pytest.raises(OSError):
        os.write(fd, b"x")
    # Reopened through /proc by somebody without rights, it stays closed to him.
    mode = os.fstat(fd)
    assert (mode.st_uid, mode.st_mode & 0o777, mode.st_nlink) == (64100, 0o400, 0)
    os.close(fd)


def test_two_snapshots_of_one_ledger_are_equal(system):
    login = system.login()
    system.client("bob").approve(login)
    contents = []
    for _ in range(2):
        handle, note, vkey = system.client("erin").call(bus.AUDITOR, "OpenSnapshot")
        fd = handle.to_raw_fd()
        contents.append((os.pread(fd, 2**24, 0), note, vkey))
        os.close(fd)
    assert contents[0] == contents[1]
    assert login.verdict()[0] == "approved"


def test_the_bus_knows_no_other_way_in(system):
    """No socket of the broker's own: what it has open are its files, its bus and event descriptors."""
    kinds = [os.readlink(f"/proc/{system.broker.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{system.broker.pid}/fd")]
    assert len([kind for kind in kinds if kind.startswith("socket:")]) == 1
