# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks while votes wait for a look-up, and on polkit."""

import contextlib
import pathlib
import signal
import time

import pytest

import peerauth_bus as bus
from jeepney import new_method_return
from peerauth_bus import ERROR, BusError, until
from test_attack_policy import refused, rule, under  # noqa: F401  fixtures


# ---- votes that wait, and what happens meanwhile ----


@pytest.fixture
def waiting(under, host):
    """(system, shim, login, bob, serial): slow has approved, and bob's approval waits for slow's account."""
    shim = bus.Shim(host.folder)
    system = under(shim=shim, Reviewers="{slow bob carol dave}:2", DenyThreshold=2, Admins="peerauth-admins")
    system.logind.add("slow", session="slow")
    login, bob = system.login(service="test"), system.client("bob")
    assert system.client("slow").approve(login) == ("pending", 1)
    shim.set(name_service_hangs=1)
    serial = bob.send_approve(login)
    assert bob.message(serial, 0.2) is None
    yield system, shim, login, bob, serial
    shim.set(name_service_hangs=0)


def test_a_denial_during_the_recheck(waiting):
    system, shim, login, bob, serial = waiting
    assert system.client("erin").deny(login) == ("denied", 0)
    shim.set(name_service_hangs=0)
    assert refused(bob.reply, serial).name == ERROR + "AlreadyDecided"
    assert login.verdict()[0] == "denied" and login.kinds().count("decision") == 1


def test_the_requester_leaves_during_the_recheck(waiting):
    system, shim, login, bob, serial = waiting
    login.client.leave()
    until(lambda: "cancelled" in login.kinds())
    shim.set(name_service_hangs=0)
    assert refused(bob.reply, serial).name == ERROR + "AlreadyDecided"
    assert login.kinds() == ["request-created", "vote", "cancelled"]


def test_the_request_is_forgotten_during_the_recheck(waiting):
    """Others end, so that it is dropped from the list of those that are remembered."""
    system, shim, login, bob, serial = waiting
    system.logind.remove("slow")  # what is asked already goes on
    login.client.leave()
    until(lambda: "cancelled" in login.kinds())
    for n in range(70):
        client = system.client("root")
        other = system.login(f"user{10 + n % 20}", service="test", client=client)
        assert other.outcome == "pending"
        client.leave()
    shim.set(name_service_hangs=0)
    assert refused(bob.reply, serial).name in (ERROR + "NoSuchRequest", f"{bus.DBUS}.Error.Failed")


def test_the_voter_leaves_during_the_recheck(waiting):
    """The approval was sent; but nobody is told twice, and nothing is freed twice."""
    system, shim, login, bob, serial = waiting
    bob.leave()
    shim.set(name_service_hangs=0)
    until(lambda: login.verdict(0.1))
    assert login.kinds().count("decision") == 1


def test_the_voter_denies_during_the_own_recheck(waiting):
    """The later word counts: an approval that waits does not undo a denial (MUST 6)."""
    system, shim, login, bob, serial = waiting
    assert system.client("bob").deny(login) == ("pending", 1)
    shim.set(name_service_hangs=0)
    assert refused(bob.reply, serial).name == ERROR + "AlreadyDecided"
    assert login.verdict(0.1) is None


def test_the_earlier_voter_denies_during_the_recheck(waiting):
    system, shim, login, bob, serial = waiting
    slow = system.client("slow")
    denial = slow.send_deny(login)
    shim.set(name_service_hangs=0)
    with contextlib.suppress(BusError):
        bob.reply(serial)
    with contextlib.suppress(BusError):
        slow.reply(denial)
    votes = [(e["person"], e["vote"]) for e in login.entries() if e["kind"] == "vote"]
    if ("slow", "deny") in votes:  # it came first: slow's approval is gone, and bob's alone is not enough
        assert login.verdict(0.1) is None
    else:
        assert login.verdict()[0] == "approved"


def test_four_votes_wait_and_no_more(waiting):
    system, shim, login, bob, serial = waiting
    more = [system.client("bob") for _ in range(6)]
    serials = [client.send_approve(login) for client in more]
    early = [client.message(s, 0.2) for client, s in zip(more, serials)]
    assert sum(m is not None for m in early) == 3
    shim.set(name_service_hangs=0)
    bob.reply(serial)
    for client, s, m in zip(more, serials, early):
        if m is None:
            with contextlib.suppress(BusError):
                client.reply(s)
    assert login.verdict()[0] == "approved" and login.kinds().count("decision") == 1


@pytest.mark.parametrize("hup", [False, True])
def test_the_broker_stops_in_the_middle(waiting, hup):
    """A vote, a login and a look-up under way: all are answered, none is granted."""
    system, shim, login, bob, serial = waiting
    root, carol = system.client("root"), system.client("carol")
    create = root.send(bus.REQUESTER, "CreateRequest", "a{sv}", {"user": ("s", "mallory"), "service": ("s", "test")})
    slow = system.client("slow")
    listing = slow.send(bus.REVIEWER, "ListRequests", "a{sv}", {})
    other = carol.send_approve(login)
    time.sleep(0.2)
    if hup:
        system.broker.reload(rule(Reviewers="{mallory}"), "in force")
    system.broker.process.send_signal(signal.SIGTERM)
    for client, call in ((bob, serial), (root, create), (slow, listing), (carol, other)):
        assert client.message(call, 10) is not None
    with pytest.raises(BusError):
        login.verdict()
    assert system.broker.process.wait(10) == 0
    assert "approved" not in [e.get("outcome") for e in login.entries()]


# ---- one uid against polkit ----


def test_polkit_is_not_asked_for_calls_that_name_no_request(system):
    """Eight accounts (or one with subordinate uids) keep all 32 questions to polkit open: nobody can approve."""
    asked = []

    class Silent(bus.threading.Thread):
        def __init__(self):
            super().__init__(daemon=True)
            self.client, self.over = system.client("polkitd"), False
            assert self.client.bus("RequestName", "su", "org.freedesktop.PolicyKit1", 4) == (1,)
            self.start()

        def run(self):
            while not self.over:
                try:
                    self.client.receive(0.02)
                except OSError:
                    return
                calls, self.client.others = self.client.others, []
                for call in calls:
                    asked.append(call)
                    if call.body[0][1]["name"][1] == bob.name:
                        self.client.send_message(new_method_return(call, "(bba{ss})", ((True, False, {}),)))

    if not pathlib.Path("/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf").exists():
        pytest.skip("polkitd is not installed")
    bob = system.client("bob")
    silent = Silent()
    login = system.login()
    flooders = [system.client(f"user{n}") for n in range(10, 18)]
    for client in flooders:
        for _ in range(4):
            client.send(bus.REVIEWER, "Approve", "sssa{sv}", "0" * 32, "000000", "", {})
        client.bus("GetId")
    try:
        assert bob.approve(login) == ("approved", 0)
    finally:
        silent.over = True
        silent.join()
