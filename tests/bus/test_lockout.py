# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways in which one account might shut others out, or slip past a rule, that were once open."""

import struct
import time

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, REQUESTER, REVIEWER, BusError, raw_call, until


def login_facts(user, service, **facts):
    body = {"user": ("s", user), "service": ("s", service)}
    body.update({key.replace("_", "-"): ("t", value) if isinstance(value, int) else ("s", value)
                 for key, value in facts.items()})
    return body


def create_many(client, count, **facts):
    """CreateRequest calls for mallory's own account, sent in one go without waiting for an answer."""
    client.sock.sendall(b"".join(
        raw_call(next(client.serials), REQUESTER, "CreateRequest", "a{sv}", (login_facts("mallory", "one", **facts),))
        for _ in range(count)))


def pending(system):
    return system.control.statistics()["pending"]


def outcome(call, *args, **kwargs):
    """What the login came to, or the name of the error."""
    try:
        return call(*args, **kwargs)[0]
    except BusError as error:
        return error.name


def test_calls_at_the_same_time_do_not_pass_the_quota(system):
    clients = [system.client("mallory") for _ in range(2)]
    for client in clients:
        create_many(client, 8)
    until(lambda: pending(system) == 4, what="four logins of mallory")
    time.sleep(0.3)
    assert pending(system) == 4


def test_expired_logins_give_their_places_back(system):
    client = system.client("mallory")
    create_many(client, 4, time_left=300000)
    until(lambda: pending(system) == 4, what="four logins")
    until(lambda: pending(system) == 0, what="their deadline")
    # Nobody fetched the verdicts, and mallory stays connected.
    assert outcome(system.client("root").create, "mallory", "one") == ERROR + "RateLimited"
    root = system.client("root")
    until(lambda: outcome(root.create, "mallory", "one") == "pending", 10, "a free place")


def test_a_terminal_that_somebody_claims_stays_open(system):
    for n in range(16):
        user = f"user{10 + n}"
        system.login(user, client=system.client(user), tty="tty1")
    assert outcome(system.client("root").create, "alice", "one", tty="tty1") == "pending"


def test_logins_without_privileges_leave_room_for_others(system):
    for n in range(16):
        user = f"user{10 + n}"
        system.login(user, client=system.client(user))
    assert outcome(system.client("user29").create, "user29", "one") == ERROR + "RateLimited"
    assert outcome(system.client("root").create, "user29", "one") == "pending"


def test_leaving_at_the_deadline_loses_no_place(system):
    """The owner goes between the expiry and its commit, behind calls that keep the broker busy meanwhile."""
    for _ in range(12):
        client = system.client("erin")
        deadline = client.create("erin", "one", time_left=200000)[3]
        calls = b"".join(raw_call(n + 100, REVIEWER, "Unsubscribe", "", (), no_reply=True) for n in range(400))
        while bus.boottime() < deadline / 1e6 - 0.004:
            pass
        client.sock.sendall(calls)
        client.leave()
        time.sleep(0.05)
    until(lambda: pending(system) == 0, what="the end of all")
    root = system.client("root")
    assert [outcome(root.create, "erin", "one") for _ in range(4)] == ["pending"] * 4


def repeated(key, kind, value, size):
    """The bytes of an a{sv} of about that size which holds one key again and again."""
    entry = struct.pack("<I", len(key)) + key + b"\0" + b"\x01" + kind + b"\0"
    entry += b"\0" * (-len(entry) % len(value)) + value
    padded = entry + b"\0" * (-len(entry) % 8)
    entries = padded * (size // len(padded) - 1) + entry
    return struct.pack("<I", len(entries)) + b"\0" * 4 + entries


@pytest.mark.parametrize("interface, member, key, kind, value",
                         [(REVIEWER, "ListRequests", b"offset", b"u", b"\0" * 4),
                          (REQUESTER, "CreateRequest", b"time-left", b"t", b"\0" * 8)])
def test_a_key_that_is_repeated_a_million_times_is_refused(system, interface, member, key, kind, value):
    client = system.client("mallory")
    frame = raw_call(next(client.serials), interface, member, "a{sv}", ({},))
    header = bytearray(frame[:bus.header_size(frame)])
    body = repeated(key, kind, value, 24 * 2**20)
    struct.pack_into("<I", header, 4, len(body))
    client.sock.sendall(bytes(header) + body)
    with pytest.raises(BusError) as error:
        client.reply(struct.unpack_from("<I", header, 8)[0], 20)
    assert error.value.name == bus.INVALID_ARGS


def test_a_long_id_is_not_kept_while_the_caller_is_looked_up(system):
    client = system.client("bob")
    with pytest.raises(BusError) as error:
        client.call(REVIEWER, "GetRequest", "s", "a" * 2**20)
    assert error.value.name == ERROR + "NoSuchRequest"


def test_many_connections_of_one_user_shut_nobody_out(system):
    """Eight look-ups a connection: forty connections together stay below what all users share."""
    clients = [system.client("mallory") for _ in range(40)]
    calls = b"".join(raw_call(n + 10, REVIEWER, "ListRequests", "a{sv}", ({},), no_reply=True) for n in range(64))
    root = system.client("root")
    for client in clients:
        client.sock.sendall(calls)
    assert outcome(root.create, "alice", "one") == "pending"


NEW_RULES = "[Rule staff]\nGroup=reviewers-to-be\nAction=deny\n\n[Rule rest]\nAction=exempt\n"


def test_a_reload_during_a_look_up_exempts_nobody(host):
    """The account was looked up for the old rules, so whether the new ones deny it is not known."""
    shim = bus.Shim(host.folder)
    host.start_broker(shim=shim, rules="[Rule r]\nAction=require\nReviewers=peerauth-reviewers:1\n")
    shim.set(name_service_hangs=1)
    root = host.client("root")
    serial = root.send(REQUESTER, "CreateRequest", "a{sv}", login_facts("slow", "one"))
    time.sleep(0.2)
    host.broker.reload("[Rule staff]\nGroup=peerauth-reviewers\nAction=deny\n\n[Rule rest]\nAction=exempt\n",
                       "with 2 rules in force")
    shim.set(name_service_hangs=0)
    with pytest.raises(BusError) as error:
        root.reply(serial)
    assert error.value.name == bus.DBUS + ".Error.Failed"
    # Nothing is kept of it: asked again, the new rules answer.
    assert outcome(root.create, "slow", "one") == "exempt"


def test_a_group_that_is_not_found_denies(host):
    host.start_broker(rules=NEW_RULES)
    answer = host.client("root").create("alice", "one")
    assert answer[0] == "denied"
    assert "not found" in bus.plain(answer[4])["message"]
