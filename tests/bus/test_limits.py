# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever a user can make grow has a bound, and others are served meanwhile."""

import os
import random
import re
import socket
import time
import xml.etree.ElementTree as ElementTree

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError, until


def refused(call, *args, **kwargs):
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value.name


def error_of(client, serial):
    with pytest.raises(BusError) as error:
        client.reply(serial)
    return error.value


def test_four_logins_of_a_user(system):
    root = system.client("root")
    logins = [system.login("alice", client=root, rhost=f"r{n}") for n in range(4)]
    assert refused(root.create, "alice", "one") == ERROR + "RateLimited"
    assert refused(root.create, "ally", "two") == ERROR + "RateLimited"
    assert refused(system.client("alice").create, "alice", "one") == ERROR + "RateLimited"
    assert system.login("mallory").outcome == "pending"
    root.call(bus.REQUESTER, "CancelRequest", "s", logins[0].id)
    assert system.login("alice").outcome == "pending"


def test_sixteen_logins_from_a_place(system):
    root = system.client("root")
    for n in range(16):
        system.login(f"user{10 + n}", client=root, rhost="198.51.100.9")
    assert refused(root.create, "user29", "one", rhost="198.51.100.9") == ERROR + "RateLimited"
    assert system.login("user29", rhost="198.51.100.10").outcome == "pending"
    assert system.login("user29").outcome == "pending"


def test_sixty_four_logins_in_all(system):
    root = system.client("root")
    logins = [system.login(f"user{10 + n % 20}", client=root, rhost=f"r{n}") for n in range(64)]
    assert refused(root.create, "alice", "one") == ERROR + "RateLimited"
    assert len({login.code for login in logins}) == 64
    assert system.login("alice", service="exempt").outcome == "exempt"
    assert system.control.statistics()["pending"] == 64
    # The one that is decided and fetched makes room.
    system.client("bob").approve(logins[7])
    assert logins[7].verdict()[0] == "approved"
    assert system.login("alice").outcome == "pending"
    root.leave()
    until(lambda: system.control.statistics()["pending"] == 1, 2, "the cancellations")
    ends = [entry for entry in system.entries() if entry["kind"] == "cancelled"]
    assert len(ends) == 63


def test_subscriptions(system):
    mallory = [system.client("mallory") for _ in range(9)]
    for client in mallory[:8]:
        client.call(bus.REVIEWER, "Subscribe")
        client.call(bus.REVIEWER, "Subscribe")
    assert refused(mallory[8].call, bus.REVIEWER, "Subscribe") == bus.LIMITS_EXCEEDED
    system.client("bob").call(bus.REVIEWER, "Subscribe")
    assert system.control.statistics()["subscribers"] == 9
    for client in mallory:
        client.leave()
    until(lambda: system.control.statistics()["subscribers"] == 1, what="the end of the subscriptions")


def ours(text):
    """The bus daemon has limits, too; a test of the broker's must tell them apart."""
    return text.startswith("Too many calls")


def test_a_flood_of_calls(system):
    """Attack B15: who floods is refused; a login beside it takes its usual time."""
    flooders, bob = [system.client("mallory") for _ in range(4)], system.client("bob")
    before = system.broker.memory_kib()
    serials = []
    for n in range(1000):
        client = flooders[n % 4]
        serials.append((client, client.send(bus.REVIEWER, "ListRequests", "a{sv}", {})))
    start = time.monotonic()
    login = system.login()
    assert bob.approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"
    assert time.monotonic() - start < 2
    errors = []
    for client, serial in serials:
        try:
            assert client.reply(serial) == ([], 0)
        except BusError as error:
            assert error.name == bus.LIMITS_EXCEEDED
            errors.append(error.text)
    assert len(errors) > 100 and any(map(ours, errors)), set(errors)
    assert flooders[0].requests() == ([], 0)
    if not bus.SANITIZED:  # it keeps freed memory
        assert system.broker.memory_kib() - before < 8192


def test_a_flood_on_one_connection_of_root(system):
    """A greeter gone wild: bounded by its connection, because root has no bound as a user."""
    wild = system.client("root")
    # Fewer than the bus daemon would refuse by itself (128 calls without an answer).
    serials = [wild.send(bus.REVIEWER, "GetRequest", "s", "0" * 32) for _ in range(120)]
    login = system.login()
    errors = [error_of(wild, serial) for serial in serials]
    assert {error.name for error in errors} == {ERROR + "NoSuchRequest", bus.LIMITS_EXCEEDED}
    assert all(ours(error.text) for error in errors if error.name == bus.LIMITS_EXCEEDED)
    assert system.client("bob").approve(login) == ("approved", 0)


def test_large_messages(system):
    """Attack B15: 1 MiB strings are refused, and the memory comes back."""
    mallory, text = system.client("mallory"), "x" * 2**20
    system.client("bob").requests()
    before = system.broker.memory_kib()
    for _ in range(10):
        assert refused(mallory.create, text, "one") == bus.INVALID_ARGS
        assert refused(mallory.create, "mallory", "one", tty=text) == bus.INVALID_ARGS
        assert refused(mallory.approve, text, "123456") == ERROR + "NoSuchRequest"
        assert refused(mallory.approve, text, text) == bus.INVALID_ARGS
        assert refused(mallory.deny, "", text) == bus.INVALID_ARGS
    assert system.login().outcome == "pending"
    if not bus.SANITIZED:
        assert system.broker.memory_kib() - before < 8192


def test_descriptors_that_nobody_asked_for(system):
    """Attack B15: descriptors in a message are closed with it."""
    mallory = system.client("mallory")
    mallory.statistics()
    before = system.broker.descriptors()
    read, write = os.pipe()
    for _ in range(100):
        serial = next(mallory.serials)
        frame = bus.raw_call(serial, bus.REVIEWER, "Subscribe", "", ())
        # The header must announce them: UNIX_FDS is field 9, added by hand to an array of fields.
        size = int.from_bytes(frame[12:16], "little")
        fields = frame[16 : 16 + size] + bytes(-size % 8) + b"\x09\x01u\0" + (3).to_bytes(4, "little")
        frame = frame[:12] + len(fields).to_bytes(4, "little") + fields + bytes(-len(fields) % 8)
        socket.send_fds(mallory.sock, [frame], [read, read, write])
        mallory.reply(serial)
    os.close(read), os.close(write)
    assert mallory.statistics()["subscribers"] == 1
    assert system.broker.descriptors() == before


def members():
    """(interface, member, signature of the arguments) of every method, as packaged."""
    for file in sorted((bus.TOP / "packaging/dbus/interfaces").glob("*.xml")):
        for interface in ElementTree.parse(file).getroot().iter("interface"):
            for method in interface.iter("method"):
                signature = "".join(a.get("type") for a in method.iter("arg") if a.get("direction") == "in")
                yield interface.get("name"), method.get("name"), signature


class Fuzz:
    """Calls that are nearly right, from a seed."""

    TEXTS = ["", "alice", "one", "two", "compare", "exempt", "000000", "x" * 300, "\x1b[2J", "\u202e", "%n%s", "0" * 32, "é" * 99]
    KEYS = ["user", "service", "tty", "rhost", "ruser", "time-left", "offset", "uid", "code", "", "k" * 300]

    def __init__(self, seed, ids):
        self.chance, self.ids = random.Random(seed), ids

    def text(self):
        kind = self.chance.randrange(4)
        if kind == 0:
            return self.chance.choice(self.ids)
        if kind == 1:
            return "".join(chr(self.chance.randrange(1, 0xD7FF)) for _ in range(self.chance.randrange(40)))
        return self.chance.choice(self.TEXTS)

    def variant(self, depth=0):
        kind = self.chance.randrange(8 if depth < 3 else 5)
        number = self.chance.choice([0, 1, 25, 2**31, 2**32 - 1])
        return [
            ("s", self.text()), ("u", number), ("t", number << 32 | number), ("b", True), ("d", float("nan")),
            ("as", [self.text()]), ("v", None), ("a{sv}", None),
        ][kind] if kind < 6 else (("v", self.variant(depth + 1)) if kind == 6 else ("a{sv}", self.dictionary(depth + 1)))  # fmt: skip

    def dictionary(self, depth=0):
        likely = {"user": ("s", "alice"), "service": ("s", "one")} if self.chance.random() < 0.5 else {}
        keys = self.chance.sample(self.KEYS, self.chance.randrange(4))
        return {**likely, **{key: self.variant(depth) for key in keys}}

    def value(self, kind):
        if kind == "s":
            return self.text()
        if kind == "a{sv}":
            return self.dictionary()
        return self.chance.choice([0, 1, 255, 2**31, 2**32 - 1] + ([2**63, 2**64 - 1] if kind == "t" else []))

    def body(self, signature):
        """Mostly of the right types."""
        kinds = re.findall(r"a\{sv\}|.", signature)
        if self.chance.random() < 0.1:
            self.chance.shuffle(kinds)
        if self.chance.random() < 0.1:
            kinds = kinds[:-1] + self.chance.choice([[], ["s"], ["u", "a{sv}"]])
        return "".join(kinds), tuple(self.value(kind) for kind in kinds)


def count(rounds):
    return rounds * 20 if os.environ.get("PEERAUTH_ROUNDS") == "full" else rounds


@pytest.mark.parametrize("who", ["root", "bob", "mallory"])
def test_random_calls(system, who):
    """Attack B16: right members, wrong contents."""
    watched = system.login("mallory", service="others")
    fuzz, methods = Fuzz(who, [watched.id, watched.id[:6], watched.id.upper()]), list(members())
    client, held = system.client(who), 0
    for _ in range(count(150)):
        serials = []
        for _ in range(14):
            interface, member, signature = fuzz.chance.choice(methods)
            kinds, body = fuzz.body(signature)
            if fuzz.chance.random() < 0.05:
                interface, member = fuzz.chance.choice([(interface, "x"), ("a.b", member), (bus.AUDITOR, "Approve")])
            serials.append(client.send(interface, member, kinds, *body))
        for serial in serials:
            held += client.message(serial, 10) is None
        if fuzz.chance.random() < 0.1:
            client.leave()
            client = system.client(who)
    assert held == 0 and system.broker.running()
    assert watched.verdict(0.1) is None, "random calls decided a request that this account may not decide"
    client.leave()
    login = system.login()
    assert system.client("bob").approve(login) == ("approved", 0)


@pytest.mark.parametrize("who", ["root", "mallory"])
def test_mutated_bytes(system, who):
    """Attack B16: frames with bits that are wrong. The bus stops most of them; what passes must do no harm."""
    fuzz, methods = Fuzz(who + "bytes", ["0" * 32]), list(members())
    client, passed = system.client(who), 0
    for _ in range(count(400)):
        interface, member, signature = fuzz.chance.choice(methods)
        serial = next(client.serials)
        frame = bytearray(bus.raw_call(serial, interface, member, *fuzz.body(signature)))
        start = bus.header_size(frame) if fuzz.chance.random() < 0.9 else 16
        for _ in range(fuzz.chance.randrange(1, 5)):
            if start < len(frame):
                frame[fuzz.chance.randrange(start, len(frame))] ^= 1 << fuzz.chance.randrange(8)
        try:
            client.sock.sendall(frame)
            client.call(bus.AUDITOR, "GetStatistics", seconds=0.3)
            passed += serial in client.replies
        except (OSError, TimeoutError, BusError):
            client.leave()
            client = system.client(who)
    assert passed > 20 and system.broker.running()
    client.leave()
    login = system.login()
    assert system.client("bob").approve(login) == ("approved", 0)
