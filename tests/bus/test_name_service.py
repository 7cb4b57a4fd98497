# SPDX-License-Identifier: LGPL-2.1-or-later
"""A name service that hangs, large groups, and more sessions than the bus lets the broker ask about at once."""

import contextlib
import os
import pathlib
import re
import statistics
import time

import peerauth_bus as bus
import pytest
from peerauth_client import BusError

NOT_ELIGIBLE = bus.ERROR + "NotEligible"
NO_SUCH_REQUEST = bus.ERROR + "NoSuchRequest"

RULES = bus.RULES + """
[Rule crowd]
Service=crowd
Action=require
Reviewers=crowd:1
"""


def send_create(client, user):
    return client.send(bus.REQUESTER, "CreateRequest", "a{sv}", {"user": ("s", user), "service": ("s", "one")})


def decide(system, bob, service="one"):
    """One login, made and approved; how long that took."""
    start = time.monotonic()
    login = system.login(service=service)
    assert bob.approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"
    took = time.monotonic() - start
    login.client.leave()
    return took


def threads(broker):
    status = pathlib.Path(f"/proc/{broker.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"Threads:\s+(\d+)", status).group(1))


@pytest.fixture
def hanging(host):
    """A broker whose name service can hang."""
    shim = bus.Shim(host.folder)
    host.start_broker(shim=shim, rules=RULES)
    yield host, shim
    shim.set(name_service_hangs=0)


@pytest.fixture
def group_file():
    """The groups of this process tree, put back as they were. They are written in place: the file is a mount."""
    path = pathlib.Path(os.environ["PEERAUTH_WORK"]) / "group"
    before = path.read_text()
    yield path
    path.write_text(before)


# Attack B17.


def test_one_account_that_hangs_and_ten_names(hanging):
    system, shim = hanging
    bob, crowd = system.client("bob"), [system.client("root") for _ in range(11)]
    usual = statistics.median(decide(system, bob) for _ in range(20))
    shim.set(name_service_hangs=1)
    waiting = []
    for n, client in enumerate(crowd):
        name = "slow" if n == 10 else f"slow-stranger-{n}"
        waiting += [(client, send_create(client, name)) for _ in range(4)]
    for client in crowd:
        client.bus("GetId")  # so that the bus has passed on what came before
    hung = statistics.median(decide(system, bob) for _ in range(20))
    print(f"a decision takes {hung / usual:.2f} times what it takes without")
    assert hung < 3 * usual + 0.01
    assert system.login("no-such-person").outcome == "pending"
    assert threads(system.broker) <= 1 + 2 * len(crowd) + 2 * 8
    assert all(client.message(serial, 0.01) is None for client, serial in waiting)
    shim.set(name_service_hangs=0)
    for client, serial in waiting:
        assert client.reply(serial)[0] in ("pending", "denied")


def test_as_many_names_as_an_sshd_takes_connections(hanging):
    system, shim = hanging
    bob, crowd = system.client("bob"), [system.client("root") for _ in range(25)]
    decide(system, bob)
    before = system.broker.memory_kib()
    shim.set(name_service_hangs=1)
    waiting = [(client, send_create(client, f"slow-{n}-{i}")) for n, client in enumerate(crowd) for i in range(4)]
    bus.until(lambda: threads(system.broker) >= 100, what="a hundred look-ups")
    for _ in range(10):
        assert decide(system, bob) < 1
    if not bus.SANITIZED:
        assert system.broker.memory_kib() - before < 8192
    shim.set(name_service_hangs=0)
    for client, serial in waiting:
        client.message(serial)


def test_a_requester_who_gives_up_leaves_nothing_to_wait_for(hanging):
    """The thread hangs on; a later login of that name waits for it, and others do not."""
    system, shim = hanging
    bob = system.client("bob")
    shim.set(name_service_hangs=1)
    for _ in range(10):
        client = system.client("root")
        send_create(client, "slow")
        client.bus("GetId")
        client.leave()
    assert decide(system, bob) < 1
    late = system.client("root")
    serial = send_create(late, "slow")
    assert late.message(serial, 0.2) is None
    shim.set(name_service_hangs=0)
    assert late.reply(serial)[0] == "pending"


def test_a_reviewer_whose_account_hangs(hanging):
    """Logged in, and calling as often as the broker takes it: counted as not there, and in nobody's way."""
    system, shim = hanging
    bob, slow = system.client("bob"), [system.client("slow") for _ in range(6)]
    system.logind.add("slow", session="slow")
    decide(system, bob)
    shim.set(name_service_hangs=1)
    waiting = [(client, client.send(bus.REVIEWER, "ListRequests", "a{sv}", {})) for client in slow for _ in range(8)]
    login = system.login()
    assert login.outcome == "pending"
    # bob, carol, dave, erin and root; alice is the requester, and slow could not be looked up
    assert login.info["reachable"] == 5
    start = time.monotonic()
    assert bob.approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"
    assert time.monotonic() - start < 1
    shim.set(name_service_hangs=0)
    for client, serial in waiting:
        client.message(serial)
    assert slow[0].requests() == ([], 0)


# Large groups.


def test_a_group_of_ten_thousand(host, group_file):
    members = ",".join([f"member{n:05d}" for n in range(9999)] + ["bob"])
    with open(group_file, "a", encoding="ascii") as file:
        file.write(f"crowd:x:64160:{members}\n")
    host.start_broker(rules=RULES)
    bob, carol = host.client("bob"), host.client("carol")
    login = host.login(service="crowd")
    assert login.info["reachable"] == 1
    with pytest.raises(BusError) as error:
        carol.approve(login)
    assert error.value.name == NO_SUCH_REQUEST
    assert bob.approve(login) == ("approved", 0)
    assert decide(host, bob, "crowd") < 1


def test_an_account_in_a_thousand_groups(host, group_file):
    with open(group_file, "a", encoding="ascii") as file:
        for n in range(1000):
            file.write(f"many{n}:x:{70000 + n}:bob,carol\n")
        file.write("crowd:x:71500:bob\n")
    host.start_broker(rules=RULES)
    login = host.login(service="crowd")
    with pytest.raises(BusError) as error:
        host.client("carol").approve(login)
    assert error.value.name == NO_SUCH_REQUEST
    assert host.client("bob").approve(login) == ("approved", 0)


# Many sessions, many calls: dbus-daemon lets a connection wait for 128 answers.


def test_more_sessions_than_answers_may_be_waited_for(system):
    for n in range(10, 30):
        for i in range(12):  # 240, with those that are there
            system.logind.add(f"user{n}", session=f"many{n}x{i}")
    clients = [system.client("root") for _ in range(6)]
    serials = [(client, send_create(client, user)) for client, user in zip(clients, ["alice", "mallory"] * 3)]
    for n, (client, serial) in enumerate(serials):
        outcome, _, _, _, info = client.reply(serial)
        assert outcome == "pending"
        # bob, carol, dave, erin, root; and alice, but not for her own login
        assert bus.plain(info)["reachable"] == (6 if n % 2 else 5)
    assert decide(system, system.client("bob")) < 3


def test_a_user_with_many_connections_who_floods_approve(system):
    """Attack B15: the answers that the broker waits for are bounded for a user, so others' are not refused."""
    flooders, bob = [system.client("mallory") for _ in range(24)], system.client("bob")
    login = system.login()
    serials = [(client, client.send_approve(login, "000000")) for _ in range(8) for client in flooders]
    for client in flooders:
        with contextlib.suppress(BusError):
            client.bus("GetId")
    assert bob.approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"
    names = set()
    for client, serial in serials:
        with pytest.raises(BusError) as error:
            client.reply(serial)
        names.add(error.value.name)
    assert names <= {NO_SUCH_REQUEST, bus.LIMITS_EXCEEDED}
