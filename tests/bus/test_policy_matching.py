# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which rule decides a login, what PAM's account stage gets, and the texts that a rule asks for."""

import datetime
import time

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR
from test_policy import REVIEWERS, refused, rule, under  # noqa: F401  a fixture


# ---- matching ----


def matching(system, keys, **facts):
    """The outcome under a rule with these keys that exempts, in front of one that denies everything."""
    system.broker.reload(rule(action="exempt", **keys) + rule("rest", action="deny").replace("Service=rest\n", ""), "in force")
    return system.login(service="test", wait=False, **facts).outcome


def test_where_from(under):
    system = under("deny")
    assert matching(system, {"Address": "192.0.2.0/24"}, rhost="192.0.2.200") == "exempt"
    assert matching(system, {"Address": "192.0.2.0/24"}, rhost="::ffff:192.0.2.200") == "exempt"
    assert matching(system, {"Address": "192.0.2.0/24"}, rhost="192.0.3.1") == "denied"
    assert matching(system, {"Address": "2001:db8::/32"}, rhost="2001:db8:1::1") == "exempt"
    assert matching(system, {"Address": "192.0.2.0/24"}) == "denied", "nothing that is local"
    assert matching(system, {"Location": "local"}) == "exempt"
    own = bus.os.uname().nodename
    assert matching(system, {"Location": "local"}, rhost=own, ruser="alice") == "exempt", "as sudo reports itself"
    assert matching(system, {"Location": "local"}, rhost=own) == "denied", "a name from a stranger's DNS"
    assert matching(system, {"Location": "local"}, rhost="127.0.0.1") == "denied"
    assert matching(system, {"Location": "remote"}, rhost="somewhere.example") == "exempt"
    assert matching(system, {"Tty": "tty*"}, tty="/dev/tty3") == "exempt"
    assert matching(system, {"Tty": "tty1"}, tty="tty11") == "denied"


def test_a_host_of_which_only_the_name_is_known(under):
    """To pass a rule for a network over could let in whom it forbids, so it is denied."""
    system = under("deny")
    system.broker.reload("[Rule net]\nService=test\nAddress=192.0.2.0/24\nAction=deny\n[Rule rest]\nAction=exempt\n", "in force")
    login = system.login(service="test", rhost="lab.example", wait=False)
    assert (login.outcome, login.info["rule"]) == ("denied", "net") and "UseDNS" in login.info["message"]
    assert system.login(service="test", rhost="198.51.100.1", wait=False).outcome == "exempt"
    assert system.login(service="other", rhost="lab.example", wait=False).outcome == "exempt"


def test_a_group_that_is_gone_denies_only_whom_it_may_be_about(under):
    """The ways out do not depend on a directory that does not answer."""
    system = under("deny")
    system.broker.reload("[Rule way-out]\nService=test\nUser=root\nAction=exempt\n"
                         "[Rule gone]\nService=test\nGroup=no-such-group\nAction=deny\n[Rule rest]\nAction=exempt\n", "in force")
    assert system.login("root", service="test", wait=False).outcome == "exempt"
    login = system.login("alice", service="test", wait=False)
    assert login.outcome == "denied" and "not found" in login.info["message"]
    assert system.login("alice", service="other", wait=False).outcome == "exempt"


def test_time_of_the_week(under):
    system = under("deny")
    now = datetime.datetime.now()
    if now.second > 55:  # not across the end of a minute
        time.sleep(6)
        now = datetime.datetime.now()
    today, tomorrow = now.strftime("%a"), (now + datetime.timedelta(days=1)).strftime("%a")
    minute = now.strftime("%H:%M")
    following = (now + datetime.timedelta(minutes=2)).strftime("%H:%M")
    assert matching(system, {"Time": today}) == "exempt"
    assert matching(system, {"Time": tomorrow}) == "denied"
    assert matching(system, {"Time": f"{minute}-{following}"}) == "exempt"
    assert matching(system, {"Time": f"{following}-{minute}"}) == "denied"


def test_by_service_alone_is_not_by_service_and_place(under):
    """An exemption that depends on more than the service is never given by the service alone."""
    system = under("deny")
    for key, value in (("Location", "remote"), ("Tty", "tty1"), ("Address", "192.0.2.0/24"), ("User", "bob")):
        assert matching(system, {key: value}) == "denied"


# ---- PAM's account stage (attack A13) ----


@pytest.mark.parametrize(("action", "outcome"), [("require", "denied"), ("exempt", "exempt"), ("deny", "denied"), ("monitor", "exempt")])
def test_account_stage(under, action, outcome):
    keys = {"Reviewers": REVIEWERS} if action in ("require", "monitor") else {}
    system = under(action, **keys)
    login = system.login(service="test", stage="account", wait=False)
    assert login.outcome == outcome and not login.code
    if action == "require":
        assert "came in by a way that cannot ask for it" in login.info["message"]
        assert system.entries()[-1]["kind"] == "refused"
        assert system.client("bob").requests()[1] == 0


def test_an_unknown_stage(under):
    system = under("exempt", User="alice")
    assert refused(system.client("root").create, "alice", "test", stage="session").name == bus.INVALID_ARGS


# ---- notes and reasons ----


def test_a_note_that_the_rule_asks_for(under):
    system = under(Reviewers=REVIEWERS, Note="match:INC-[0-9]+")
    login, bob = system.login(service="test"), system.client("bob")
    request = bob.get(login)
    assert (request["note-mode"], request["note-pattern"]) == ("pattern", "INC-[0-9]+")
    for note in ("", "INC-", "INC-12 and more", "see INC-12"):
        error = refused(bob.approve, login, note=note)
        assert error.name == ERROR + "NoteNeeded" and "INC-[0-9]+" in error.text
    assert login.kinds() == ["request-created"], "no try was used up"
    assert bob.approve(login, note="INC-12") == ("approved", 0)
    assert login.verdict()[1]["note"] == "INC-12"


@pytest.mark.parametrize(("mode", "note", "error"), [
    ("off", "hello", "NoteNeeded"), ("off", "", None), ("optional", "", None), ("optional", "hello", None),
    ("required", "", "NoteNeeded"), ("required", "  ", "NoteNeeded"), ("required", "x", None),
])  # fmt: skip
def test_modes_of_a_note(under, mode, note, error):
    system = under(Reviewers=REVIEWERS, Note=mode)
    login, bob = system.login(service="test"), system.client("bob")
    if error:
        assert refused(bob.approve, login, note=note).name == ERROR + error
        assert bob.deny(login) == ("denied", 0), "a denial needs no note"
    else:
        assert bob.approve(login, note=note) == ("approved", 0)


def test_a_reason_is_asked_for_and_shown(under):
    system = under(Reviewers=REVIEWERS, Reason="match:[A-Z]{2}[0-9]+")
    client = system.client("root")
    error = refused(client.create, "alice", "test", can_ask=True)
    assert error.name == ERROR + "ReasonNeeded" and "[A-Z]{2}[0-9]+" in error.text
    assert system.client("bob").requests()[1] == 0
    login = system.login(service="test", can_ask=True, reason="AB12")
    assert login.outcome == "pending"
    assert system.client("bob").get(login)["reason"] == "AB12"
    assert login.entries()[0]["reason"] == "AB12"


@pytest.mark.parametrize(("mode", "facts", "outcome"), [
    ("required", {"can_ask": True, "reason": ""}, "denied"), ("required", {"can_ask": True, "reason": " "}, "denied"),
    ("required", {}, "denied"), ("match:x+", {"can_ask": True, "reason": "xy"}, "denied"),
    ("optional", {}, "pending"), ("optional", {"can_ask": True, "reason": ""}, "pending"),
    ("optional", {"can_ask": True, "reason": "because"}, "pending"), ("off", {"can_ask": True}, "pending"),
])  # fmt: skip
def test_modes_of_a_reason(under, mode, facts, outcome):
    system = under(Reviewers=REVIEWERS, Reason=mode)
    login = system.login(service="test", wait=False, **facts)
    assert login.outcome == outcome
    if outcome == "denied":
        assert system.entries()[-1]["kind"] == "refused"
