# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules in force: who is asked, how many must agree, what counts as nobody, and what a reload leaves behind."""

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError, until

REVIEWERS = "peerauth-reviewers:1"
EVERYBODY = ("bob", "carol", "dave", "erin", "frank", "root", "alice", "mallory")


def rule(name="test", action="require", **keys):
    return f"[Rule {name}]\nService={name}\nAction={action}\n" + "".join(f"{k}={v}\n" for k, v in keys.items())


@pytest.fixture
def under(host):
    """Starts the broker under one rule for the service "test"; returns the system."""

    def start(action="require", **keys):
        host.start_broker(rules=rule(action=action, **keys))
        return host

    return start


def refused(call, *args, **kwargs):
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value


def leave_only(system, *names):
    for name in EVERYBODY:
        if name not in names:
            system.logind.remove(name)


def restart_without_ledger(system, rules):
    """Where the database should be is a folder."""
    system.broker.stop()
    state = system.folder / "broken"
    (state / "ledger.db").mkdir(mode=0o700, parents=True)
    for path in (state, state / "ledger.db"):
        path.chmod(0o700)
        bus.os.chown(path, 64100, 64100)
    system.start_broker(name="second", state=state, rules=rules)
    (state / "ledger.db").rmdir()


def changes(client):
    """The bodies of the signals that tell of requests."""
    return [m.body for m in client.signals if m.header.fields[bus.HeaderFields.member] == "RequestChanged"]


# ---- how many of whom ----


def test_and_needs_one_of_each_group(under):
    system = under(Reviewers="peerauth-reviewers:1 and others:1")
    login = system.login(service="test")
    assert login.info["reviewers"] == "1 of peerauth-reviewers and 1 of others" and login.info["needed"] == 2
    assert system.client("bob").approve(login) == ("pending", 1)
    assert system.client("carol").approve(login) == ("pending", 1), "a second one of the same group fills no other place"
    assert login.verdict(0.1) is None
    assert system.client("frank").approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved" and sorted(login.entries()[-1]["by"]) == ["bob", "carol", "frank"]


def test_or_takes_either_alternative(under):
    system = under(Reviewers="peerauth-reviewers:2 or others")
    first, second = system.login(service="test"), system.login("user10", service="test")
    assert system.client("frank").approve(first) == ("approved", 0)
    assert system.client("bob").approve(second) == ("pending", 1)
    assert system.client("carol").approve(second) == ("approved", 0)


def test_accounts_by_name(under):
    """A trusted approver needs no group; a member of a group that the rule does not name has no say."""
    system = under(Reviewers="{mallory carol}")
    login = system.login(service="test")
    assert login.info["reviewers"] == "1 of {mallory carol}"
    assert refused(system.client("bob").approve, login).name == ERROR + "NoSuchRequest"
    assert system.client("mallory").approve(login) == ("approved", 0)


def test_a_person_of_both_groups_fills_one_place(under):
    system = under(Reviewers="peerauth-reviewers and {bob frank}")
    login = system.login(service="test")
    assert system.client("bob").approve(login) == ("pending", 1)
    assert refused(system.client("bob").approve, login).name == ERROR + "AlreadyDecided"
    assert login.verdict(0.1) is None
    # frank fits the second place only, and bob moves to the first.
    assert system.client("frank").approve(login) == ("approved", 0)


def test_deny_threshold(under):
    system = under(Reviewers="peerauth-reviewers:2", DenyThreshold=2, Admins="peerauth-admins")
    login = system.login(service="test")
    assert system.client("bob").deny(login) == ("pending", 2)
    assert refused(system.client("bob").deny, login).name == ERROR + "AlreadyDecided"
    assert refused(system.client("bob").approve, login).name == ERROR + "AlreadyDecided"
    request = system.client("carol").get(login)
    assert (request["denials"], request["approvals"]) == (1, 0)
    assert system.client("carol").deny(login) == ("denied", 0)
    verdict, details = login.verdict()
    assert (verdict, details["reason"], details["by"]) == ("denied", "Reviewers denied it.", ["bob", "carol"])


def test_an_approval_can_become_a_denial_and_not_back(under):
    system = under(Reviewers="peerauth-reviewers:2", DenyThreshold=2)
    login, bob = system.login(service="test"), system.client("bob")
    assert bob.approve(login) == ("pending", 1)
    assert bob.deny(login) == ("pending", 2)
    assert refused(bob.approve, login).name == ERROR + "AlreadyDecided"
    assert system.client("carol").approve(login) == ("pending", 1)
    assert login.verdict(0.1) is None


def test_an_administrators_denial_ends_it(under):
    system = under(Reviewers="peerauth-reviewers:2", DenyThreshold=3, Admins="peerauth-admins")
    login = system.login(service="test")
    assert system.client("erin").deny(login) == ("denied", 0)
    assert login.verdict()[0] == "denied"


# ---- attack B12: looked at again when it would be enough ----


@pytest.mark.parametrize("change", [
    pytest.param(lambda logind: logind.remove("bob"), id="logged out"),
    pytest.param(lambda logind: logind.change("bob", LockedHint=True), id="locked"),
    pytest.param(lambda logind: logind.change("bob", State="closing"), id="closing"),
    pytest.param(lambda logind: logind.change("bob", Remote=True), id="remote now"),
    pytest.param(lambda logind: logind.change("bob", Class="greeter"), id="a greeter"),
])  # fmt: skip
def test_a_vote_is_void_when_its_voter_left(under, change):
    system = under(Reviewers="peerauth-reviewers:2")
    login = system.login(service="test")
    assert system.client("bob").approve(login) == ("pending", 1)
    change(system.logind)
    assert system.client("carol").approve(login) == ("pending", 1)
    assert login.verdict(0.1) is None
    assert login.kinds() == ["request-created", "vote", "vote-void", "vote"]
    void = login.entries()[2]
    assert (void["person"], void["person_uid"]) == ("bob", 64102)
    assert system.client("dave").get(login)["voters"] == ["carol"]
    assert system.client("dave").approve(login) == ("approved", 0)
    assert login.entries()[-1]["by"] == ["carol", "dave"]


def test_somebody_who_left_and_came_back_may_vote_again(under):
    system = under(Reviewers="peerauth-reviewers:2")
    login, bob = system.login(service="test"), system.client("bob")
    bob.approve(login)
    system.logind.change("bob", LockedHint=True)
    assert system.client("carol").approve(login) == ("pending", 1)
    system.logind.change("bob", LockedHint=False)
    assert bob.approve(login) == ("approved", 0)


def test_a_vote_is_void_when_its_voter_left_the_group(under):
    """The group file is read anew for each look-up."""
    system = under(Reviewers="peerauth-reviewers:2")
    login = system.login(service="test")
    system.client("bob").approve(login)
    with open("/etc/group", "r+", encoding="ascii") as file:
        text = file.read()
        try:
            file.seek(0)
            file.write(text.replace("alice,ally,bob,carol,dave", "alice,ally,carol,dave"))
            file.truncate()
            file.flush()
            assert system.client("carol").approve(login) == ("pending", 1)
        finally:
            file.seek(0)
            file.write(text)
            file.truncate()
    assert "vote-void" in login.kinds() and login.verdict(0.1) is None


def test_logind_gone_at_the_last_vote(under):
    """What cannot be found out is not counted, and nothing is lost: the next vote can decide."""
    system = under(Reviewers="peerauth-reviewers:2")
    login, carol = system.login(service="test"), system.client("carol")
    system.client("bob").approve(login)
    system.logind.hangs = True
    assert refused(carol.approve, login).name in (bus.ACCESS_DENIED, f"{bus.DBUS}.Error.Failed")
    system.logind.hangs = False
    assert login.verdict(0.1) is None
    assert carol.approve(login) == ("approved", 0)


# ---- escalation ----


def test_escalation_asks_more_people_and_approves_nothing(under):
    system = under(Reviewers="peerauth-reviewers:2", EscalateTo="others:1", EscalateAfter="10s", Expires="1min")
    login, frank, bob = system.login(service="test"), system.client("frank"), system.client("bob")
    for client in (frank, bob):
        client.call(bus.REVIEWER, "Subscribe")
    assert refused(frank.approve, login).name == ERROR + "NoSuchRequest"
    assert bob.approve(login) == ("pending", 1)
    assert frank.requests()[1] == 0 and not changes(frank)
    until(lambda: frank.receive(0.1) and changes(frank), 15, "the signal to the second group")
    assert changes(frank) == [(login.id, "pending")]
    request = frank.get(login)
    assert request["escalated"] and request["reviewers"] == "2 of peerauth-reviewers, or 1 of others"
    assert login.verdict(0.2) is None
    assert login.kinds() == ["request-created", "vote", "escalated"]
    assert frank.approve(login) == ("approved", 0)


# ---- what lets pass, and what is recorded ----


def test_monitor_records_and_lets_pass(under):
    system = under("monitor", Reviewers="peerauth-reviewers:2")
    login = system.login(service="test", rhost="192.0.2.7")
    assert (login.outcome, login.id, login.code) == ("exempt", "", "")
    entry = until(lambda: [e for e in system.entries() if e["kind"] == "monitored"])[0]
    assert (entry["user"], entry["service"], entry["rhost"], entry["rule"]) == ("alice", "test", "192.0.2.7", "test")
    # bob, carol, dave; alice logs in herself.
    assert (entry["reachable"], entry["enough"], entry["reviewers"]) == (3, 1, "2 of peerauth-reviewers")


def test_monitor_passes_without_a_ledger(under):
    system = under("monitor", Reviewers=REVIEWERS)
    restart_without_ledger(system, rule(action="monitor", Reviewers=REVIEWERS))
    assert system.login(service="test").outcome == "exempt"


@pytest.mark.parametrize(("key", "outcome", "kind"), [
    ("wait", "pending", "request-created"), ("deny", "denied", "refused"),
    ("recovery-only", "denied", "refused"), ("allow-and-record", "exempt", "allowed-nobody"),
])  # fmt: skip
def test_when_nobody_is_there(under, key, outcome, kind):
    system = under(Reviewers="peerauth-reviewers:2", WhenNobody=key)
    leave_only(system, "alice", "erin", "mallory")  # the requester, and people whom the rule does not know
    login = system.login(service="test", wait=False)
    assert login.outcome == outcome
    assert system.entries()[-1]["kind"] == kind
    if outcome == "denied":
        assert login.info["message"].startswith("Nobody who could approve this login is logged in now.")
    if outcome == "pending":
        assert (login.info["reachable"], login.info["enough"]) == (0, False)


@pytest.mark.parametrize("there", [("bob",), ("root",)])
def test_one_who_is_there_is_not_nobody(under, there):
    system = under(Reviewers="peerauth-reviewers:2", Admins="peerauth-admins", WhenNobody="allow-and-record")
    leave_only(system, "alice", *there)
    login = system.login(service="test")
    assert login.outcome == "pending"
    assert (login.info["reachable"], login.info["enough"]) == (1, there == ("root",))


def test_nobody_of_the_second_group_either(under):
    system = under(Reviewers=REVIEWERS, EscalateTo="others", WhenNobody="allow-and-record")
    leave_only(system, "frank")
    assert system.login(service="test").outcome == "pending"


def test_a_silent_logind_is_not_nobody(under):
    system = under(Reviewers=REVIEWERS, WhenNobody="allow-and-record")
    system.logind.hangs = True
    assert system.login(service="test").outcome == "pending"


def test_allow_and_record_without_a_ledger_denies(under):
    system = under(Reviewers=REVIEWERS, WhenNobody="allow-and-record")
    leave_only(system)
    restart_without_ledger(system, rule(Reviewers=REVIEWERS, WhenNobody="allow-and-record"))
    assert refused(system.login, service="test").name == ERROR + "LedgerUnavailable"


# ---- the requester's own vote: only from an approved session, which nobody here has ----


def test_no_self_review_without_an_approved_session(under):
    """Attack B10; what it takes is shown on a real host."""
    system = under(Reviewers=REVIEWERS, SelfReview="yes")
    login = system.login(service="test")
    error = refused(system.client("alice").approve, login)
    assert error.name == ERROR + "SelfReview" and "another session" in error.text
    assert system.client("alice").get(login)["self"] is True
    assert system.client("bob").get(login)["self"] is False
    assert login.verdict(0.1) is None


@pytest.mark.parametrize("who", ["bob", "alice"])
@pytest.mark.parametrize("member", ["SessionOpened", "SessionClosed"])
def test_only_root_tells_of_sessions(under, who, member):
    system = under(Reviewers=REVIEWERS, SelfReview="yes")
    assert refused(system.client(who).call, bus.REQUESTER, member, "s", "alice").name == bus.ACCESS_DENIED


def test_a_session_that_no_approval_began(under):
    """Root's word that a session began makes none of it approved: logind's leader is not the login's process."""
    system = under(Reviewers=REVIEWERS, SelfReview="yes")
    first = system.login(service="test")
    assert system.client("bob").approve(first) == ("approved", 0)
    system.client("root").call(bus.REQUESTER, "SessionOpened", "s", "alice")
    login = system.login(service="test")
    assert refused(system.client("alice").approve, login).name == ERROR + "SelfReview"


# ---- another policy ----


def test_reload_by_the_bus(under):
    system = under("deny")
    erin, root = system.client("erin"), system.client("root")
    before = system.control.statistics()["policy-hash"]
    assert refused(erin.call, bus.ADMINISTRATOR, "ReloadPolicy").name == bus.ACCESS_DENIED, "no rule makes her one yet"
    system.broker.write_rules(rule(Reviewers=REVIEWERS, Admins="peerauth-admins") + rule("more", action="exempt"))
    assert system.login(service="test", wait=False).outcome == "denied", "nothing changes before it is read"
    digest, rules = root.call(bus.ADMINISTRATOR, "ReloadPolicy")
    assert rules == 2 and digest != before and len(digest) == 64
    assert system.control.statistics()["policy-hash"] == digest
    assert system.entries()[-1] | {"index": 0, "time": 0} == system.entries()[-1] | {
        "index": 0, "time": 0, "kind": "policy-changed", "policy": digest, "previous": before, "rules": 2}
    assert system.login(service="test").outcome == "pending"
    assert erin.call(bus.ADMINISTRATOR, "ReloadPolicy") == (digest, 2)
    assert [e["kind"] for e in system.entries()].count("policy-changed") == 1, "the same rules are no change"


@pytest.mark.parametrize("who", ["bob", "mallory", "olga"])
def test_reload_is_not_for_everybody(under, who):
    system = under(Reviewers=REVIEWERS, Admins="peerauth-admins")
    assert refused(system.client(who).call, bus.ADMINISTRATOR, "ReloadPolicy").name == bus.ACCESS_DENIED


def test_a_mistake_leaves_the_old_policy_in_force(under):
    system = under(Reviewers=REVIEWERS)
    before = system.control.statistics()["policy-hash"]
    system.broker.write_rules("[Rule test]\nService=test\nAction=exempt\n\nReviewer=x\n")
    error = refused(system.client("root").call, bus.ADMINISTRATOR, "ReloadPolicy")
    assert error.name == ERROR + "PolicyInvalid"
    assert "peerauth.conf:5: unknown key 'Reviewer'; did you mean 'Reviewers'?" in error.text
    assert system.login(service="test").outcome == "pending"
    statistics = system.control.statistics()
    assert statistics["policy-hash"] == before and not statistics["policy-valid"]
    assert "policy-changed" not in [e["kind"] for e in system.entries()]


def test_a_request_keeps_the_rule_it_was_made_under(under):
    system = under(Reviewers="peerauth-reviewers:2 and others:1")
    login = system.login(service="test")
    system.broker.reload(rule(Reviewers="{mallory}"), "in force")
    assert refused(system.client("mallory").approve, login).name == ERROR + "NoSuchRequest"
    for who, answer in (("bob", ("pending", 2)), ("frank", ("pending", 1)), ("carol", ("approved", 0))):
        assert system.client(who).approve(login) == answer
