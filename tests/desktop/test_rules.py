# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a rule asks of people, as a reviewer's desktop shows it; and polkit, which may ask the reviewer first."""
import re
import signal
import time

import pytest

from desktop import until
from polkit import Polkit

WITHDRAWN_WITHIN = 1.0  # seconds


def test_reason_of_the_requester_is_shown(desk):
    desk.system.login(service="reasoned", reason="disk of db3 is full\nDecide before noon.")
    desk.wait_shown(1)
    lines = desk.last().body.split("\n")
    assert lines[1] == r"Reason given: disk of db3 is full\x0aDecide before noon.", "attack B18"
    assert len(lines) == 4
    desk.picture("reason")


def test_note_that_the_rule_asks_for_cannot_be_clicked_away(desk):
    login = desk.system.login(service="noted")
    desk.wait_shown(1)
    shown = desk.last()
    assert shown.buttons == {"deny": "Deny", "later": "Later"}
    assert "peerauthctl approve alice\nThe rule asks for a note that matches: INC[0-9]+" in shown.body
    assert not re.search(r"\s*".join(login.code), shown.text()), "attack C7"
    desk.choose("Deny")
    assert login.verdict() == "denied", "attack C6: a note is never in the way of a denial"


def test_denial_that_is_not_enough_is_not_asked_for_again(desk):
    login = desk.system.login(service="doubted")
    desk.wait_shown(1)
    desk.choose("Deny")
    desk.wait_shown(0)
    assert login.verdict(1) is None, "DenyThreshold=2"
    assert desk.on_screen() == 0
    desk.system.as_user("carol", "Deny", "ssa{sv}", login.id, "", "0")
    assert login.verdict() == "denied"


def test_denial_of_another_is_counted_in_the_text(desk):
    login = desk.system.login(service="doubted")
    desk.wait_shown(1)
    desk.system.as_user("carol", "Deny", "ssa{sv}", login.id, "", "0")
    until(lambda: "Approvals still missing: 2 of 2. Denials so far: 1." in desk.last().body, what="the new count")
    assert desk.on_screen() == 1


def test_escalated_request_is_shown_when_it_is(desk):
    login = desk.system.login(service="escalated")
    time.sleep(1)
    assert desk.on_screen() == 0, "others are asked first"
    took = desk.wait_shown(1, seconds=15)
    assert 8 < took < 11, "EscalateAfter=10s"
    assert "Escalated: nobody decided in time." in desk.last().body
    assert login.verdict(0.1) is None, "time alone approves nothing"


@pytest.fixture
def polkit(desk):
    authority = Polkit(desk.system)
    yield authority
    authority.stop()


def test_notices_follow_while_polkit_asks(desk, polkit):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Approve")
    until(lambda: polkit.questions, what="polkit's question")
    desk.wait_shown(0)
    assert login.verdict(0.3) is None, "nothing is approved before polkit says so"
    other = desk.system.login(user="user1")
    assert desk.wait_shown(1) < WITHDRAWN_WITHIN, "the notifier waits for polkit"
    assert desk.last().summary == "user1 waits to log in (sshd)"
    other.leave()
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    polkit.answer(True)
    assert login.verdict() == "approved"
    desk.wait_shown(0)


def test_request_is_not_shown_again_while_polkit_asks(desk, polkit):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Approve")
    until(lambda: polkit.questions, what="polkit's question")
    before = len(desk.recorder.shown)
    desk.system.lock(True)  # both make the notifier ask for everything again
    desk.system.lock(False)
    time.sleep(1)
    assert desk.on_screen() == 0
    assert len(desk.recorder.shown) == before
    polkit.answer(True)
    assert login.verdict() == "approved"


def test_refusal_of_polkit_is_told_and_the_request_shown_again(desk, polkit):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Approve")
    until(lambda: polkit.questions, what="polkit's question")
    polkit.answer(False)
    until(lambda: "The login of alice was not approved" in [shown.summary for shown in desk.recorder.shown],
          what="the reason")
    desk.wait_shown(2)
    assert login.verdict(0.3) is None
    assert desk.last().buttons == {"approve": "Approve", "deny": "Deny", "later": "Later"}


def test_deny_is_never_held_up_by_polkit(desk, polkit):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Deny")
    assert login.verdict() == "denied"
    assert polkit.questions == []


def test_broker_that_ends_while_polkit_asks_decides_nothing(desk, polkit):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Approve")
    until(lambda: polkit.questions, what="polkit's question")
    desk.system.broker.stop(signal.SIGKILL)
    until(lambda: desk.last().summary == "The login of alice was not approved", what="the reason")
    assert login.verdict() != "approved"
    desk.system.start_broker()
    desk.system.login(user="user1")
    until(lambda: desk.last().summary == "user1 waits to log in (sshd)", what="the next request")
