# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a login gets: who decides it, under which rule, and what the ledger says of it."""

import json

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError, until


def test_two_people_approve(system):
    login = system.login(service="two", rhost="192.0.2.7", tty="ssh")
    assert login.outcome == "pending"
    assert login.info["rule"] == "two" and login.info["needed"] == 2
    assert login.info["reviewers"] == "2 of peerauth-reviewers, or 1 of peerauth-admins"
    # bob, carol, dave, erin and root; alice herself and those without a role do not count.
    assert login.info["reachable"] == 5
    assert abs(login.deadline - bus.boottime() - 300) < 5
    assert system.client("bob").approve(login, note="at the desk") == ("pending", 1)
    assert login.verdict(0.2) is None
    assert system.client("carol").approve(login) == ("approved", 0)
    assert login.verdict() == ("approved", {"by": ["bob", "carol"]})
    created, first, second, decision = login.entries()
    assert [e["kind"] for e in (created, first, second, decision)] == ["request-created", "vote", "vote", "decision"]
    assert (created["user"], created["uid"], created["rhost"], created["verified"]) == ("alice", 64101, "192.0.2.7", 1)
    assert (first["vote"], first["by"], first["person_uid"], first["role"]) == ("approve", "bob", 64102, "reviewer")
    assert (first["note"], first["session"]) == ("at the desk", "local")
    assert second["by"] == "carol" and "note" not in second
    assert decision["outcome"] == "approved" and decision["by"] == ["bob", "carol"]


def test_an_administrator_decides_alone(system):
    login = system.login(service="two")
    assert system.client("erin").approve(login) == ("approved", 0)
    assert login.verdict() == ("approved", {"by": ["erin"]})
    assert [(e["kind"], e.get("role")) for e in login.entries()][1:] == [("vote", "admin"), ("decision", None)]


def test_root_counts_as_an_administrator(system):
    login = system.login(service="two")
    assert system.client("root").approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"


def test_one_denial_ends_it(system):
    login = system.login(service="two")
    system.client("bob").approve(login)
    assert system.client("carol").deny(login, "she is on holiday") == ("denied", 0)
    verdict, details = login.verdict()
    assert (verdict, details["by"], details["note"]) == ("denied", ["carol"], "she is on holiday")
    assert login.kinds() == ["request-created", "vote", "vote", "decision"]
    assert login.entries()[-1]["outcome"] == "denied"


def test_an_exempt_login_passes(system):
    login = system.login(service="exempt")
    assert (login.outcome, login.id, login.code, login.deadline) == ("exempt", "", "", 0)
    assert login.info == {"rule": "exempt"}


@pytest.mark.parametrize(
    ("service", "rule", "message"),
    [
        ("forbidden", "forbidden", "A rule of this machine's policy forbids this login."),
        ("unheard-of", None, "No rule of this machine's policy covers this login."),
        ("nobody", "nobody", "The group that should approve this login does not exist on this machine. An "
         "administrator creates it with groupadd, or names another in /etc/peerauth/peerauth.conf."),
    ],
)  # fmt: skip
def test_a_login_is_refused_at_once(system, service, rule, message):
    login = system.login(service=service)
    assert (login.outcome, login.id, login.code) == ("denied", "", "")
    assert login.info.get("rule") == rule and login.info["message"] == message
    entry = system.entries()[-1]
    assert (entry["kind"], entry.get("rule"), entry["reason"], entry["user"]) == ("refused", rule, message, "alice")


def test_without_a_valid_policy_all_are_denied(host):
    host.start_broker(rules="[Rule one]\nService=one\nAction=permit\n")
    for service in ("one", "exempt"):
        login = host.login(service=service)
        assert login.outcome == "denied" and "policy" in login.info["message"]
    statistics = host.control.statistics()
    assert statistics["policy-valid"] is False
    assert "peerauth.conf:3" in statistics["policy-message"] and "permit" in statistics["policy-message"]
    started = host.entries()[0]
    assert started["kind"] == "broker-started" and started["policy_error"] == statistics["policy-message"]


def test_a_broken_reload_keeps_the_old_policy(system):
    system.broker.reload(bus.RULES + "\n[Rule x]\nColour=blue\n", "the policy was refused")
    assert system.login().outcome == "pending"
    statistics = system.control.statistics()
    assert statistics["policy-valid"] is False and "Colour" in statistics["policy-message"]
    system.broker.reload("[Rule all]\nAction=deny\n", "with 1 rules in force")
    assert system.login().outcome == "denied"
    assert system.control.statistics()["policy-valid"] is True


def test_a_reload_does_not_change_a_request(system):
    login = system.login(service="one")
    system.broker.reload("[Rule all]\nAction=deny\n", "with 1 rules in force")
    assert system.client("bob").approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"


def test_it_expires(system):
    before = bus.boottime()
    login = system.login(time_left=400_000)
    assert 0.3 < login.deadline - before < 0.6
    verdict, details = login.verdict(3)
    assert 0 <= bus.boottime() - login.deadline < 0.5
    assert (verdict, details) == ("expired", {"by": [], "reason": "Nobody decided in time."})
    assert login.kinds() == ["request-created", "expired"]


@pytest.mark.parametrize(("service", "time_left", "seconds"), [
    ("short", 0, 10), ("short", 3_600_000_000, 10), ("one", 0, 300), ("one", 2**64 - 1, 300), ("one", 90_000_000, 90),
])  # fmt: skip
def test_the_deadline_is_the_nearer_one(system, service, time_left, seconds):
    login = system.login(service=service, time_left=time_left)
    assert abs(login.deadline - bus.boottime() - seconds) < 2


def test_cancelled_by_call(system):
    login = system.login()
    assert login.client.call(bus.REQUESTER, "CancelRequest", "s", login.id) == ()
    assert login.verdict()[0] == "cancelled"
    assert login.kinds() == ["request-created", "cancelled"]


def test_cancelled_by_leaving(system):
    login = system.login()
    login.client.leave()
    until(lambda: login.kinds() == ["request-created", "cancelled"], 2, "the cancellation")
    with pytest.raises(BusError) as error:
        system.client("bob").approve(login)
    assert error.value.name == ERROR + "AlreadyDecided"
    assert login.kinds() == ["request-created", "cancelled"]


def test_a_broker_that_stops_is_unavailable(system):
    login = system.login()
    login.client.statistics()  # so that the broker has read the call before this one, too
    assert system.broker.stop() == 0
    with pytest.raises(BusError) as error:
        login.verdict()
    assert error.value.name == bus.DBUS + ".Error.Failed"
    assert [e["kind"] for e in system.entries()][-2:] == ["decision", "broker-stopped"]


def test_the_decision_is_told_to_who_asks_later(system):
    login = system.login(wait=False)
    system.client("bob").approve(login)
    login.waiting = login.wait()
    assert login.verdict() == ("approved", {"by": ["bob"]})


def test_only_one_waits(system):
    login = system.login()
    with pytest.raises(BusError) as error:
        login.client.call(bus.REQUESTER, "WaitDecision", "s", login.id)
    assert error.value.name == bus.INVALID_ARGS
    system.client("bob").approve(login)
    assert login.verdict()[0] == "approved"


def test_what_reviewers_see(system):
    login = system.login(service="two", rhost="host.example", tty="pts/3", ruser="ali")
    bob = system.client("bob")
    system.client("carol").approve(login)
    (listed,), total = bob.requests()
    assert total == 1 and "code" not in listed
    assert bob.get(login) == listed
    assert {key: listed[key] for key in ("user", "uid", "service", "tty", "rhost", "ruser", "verified", "state")} == {
        "user": "alice", "uid": 64101, "service": "two", "tty": "pts/3", "rhost": "host.example", "ruser": "ali",
        "verified": True, "state": "pending"}  # fmt: skip
    assert (listed["needed"], listed["approvals"], listed["voters"]) == (2, 1, ["carol"])
    assert listed["can-decide"] is True and "why-not" not in listed


def test_pages_are_oldest_first(system):
    logins = [system.login(f"user{10 + n % 20}", rhost=f"host{n % 7}") for n in range(30)]
    bob = system.client("bob")
    first, total = bob.requests()
    second, _ = bob.requests(offset=25)
    assert (len(first), len(second), total) == (25, 5, 30)
    assert [r["id"] for r in first + second] == [login.id for login in logins]
    assert bob.requests(offset=2**32 - 1) == ([], 30)


def test_the_ledger_reads_the_same_through_the_bus(system):
    login = system.login()
    system.client("bob").approve(login, note='"\\ <é>')
    login.verdict()
    stored = system.bodies()
    assert list(system.client("olga").call(bus.AUDITOR, "ReadEntries", "tu", 0, 256)[0]) == stored
    assert list(system.client("erin").call(bus.AUDITOR, "ReadEntries", "tu", 1, 1)[0]) == stored[1:2]
    assert system.control.call(bus.AUDITOR, "ReadEntries", "tu", 2**64 - 1, 2**32 - 1) == ([],)
    assert [json.loads(body)["index"] for body in stored] == list(range(len(stored)))
    for who in ("bob", "alice", "mallory"):
        with pytest.raises(BusError) as error:
            system.client(who).call(bus.AUDITOR, "ReadEntries", "tu", 0, 1)
        assert error.value.name == bus.ACCESS_DENIED
