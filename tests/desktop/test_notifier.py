# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauth-notifier before a real notification server and a real broker."""
import os
import re
import signal
import subprocess
import time
import unicodedata

import pytest
from jeepney import DBusAddress, HeaderFields, new_signal

from desktop import BROKER, BUILD, PATH, PROGRAMS, Process, call, until

SANITIZED = "asan" in BUILD or "tsan" in BUILD
WITHDRAWN_WITHIN = 1.0  # seconds


def clock(seconds):
    """The same moment and its neighbours, as they may be written."""
    return [time.strftime("%H:%M:%S", time.localtime(seconds + delta)) for delta in (-1, 0, 1)]


# ---- what is shown ----


def test_popup_says_who_what_whence_and_when(desk):
    login = desk.system.login(rhost="192.0.2.7", tty="ssh")
    desk.wait_shown(1)
    shown = desk.last()
    assert shown.summary == "alice waits to log in (sshd)"
    assert "From 192.0.2.7, terminal ssh, since " in shown.body
    assert re.search(r"since (\S+)\.", shown.body).group(1) in clock(login.asked_at)
    assert "Approvals still missing: 2 of 2." in shown.body
    assert re.search(r"before (\S+)\.", shown.body).group(1) in clock(login.asked_at + 300)
    assert "peerauthctl approve alice" in shown.body
    desk.picture("typed code")


def test_popup_hints_follow_the_specification(desk):
    desk.system.login()
    desk.wait_shown(1)
    shown = desk.last()
    assert shown.hints["urgency"] == 2  # critical
    assert shown.timeout == 0  # never
    assert re.fullmatch(r"x-[a-z]+(\.[a-z]+)+", shown.hints["category"])
    assert shown.hints["desktop-entry"] == "peerauth-notifier"
    assert "default" not in shown.buttons, "a click beside the buttons must not decide anything"


def test_typed_code_offers_deny_and_later_only(desk):
    desk.system.login()
    desk.wait_shown(1)
    assert desk.last().buttons == {"deny": "Deny", "later": "Later"}


def test_compared_code_offers_approve_and_is_never_in_the_text(desk):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    shown = desk.last()
    assert shown.buttons == {"approve": "Approve", "deny": "Deny", "later": "Later"}
    code = re.compile(r"\s*".join(login.code))
    assert not code.search(shown.text()), "attack C7"
    desk.picture("compared code")


def test_request_that_is_not_ours_to_decide_is_not_shown(desk):
    desk.system.login(user="bob")  # self-review
    desk.system.login(user="carol")  # reviewed by a group without bob
    desk.system.login(user="alice")
    desk.wait_shown(1)
    time.sleep(0.5)
    assert [shown.summary.split()[0] for shown in desk.recorder.shown] == ["alice"]


HOSTILE = {
    "escape": "192.0.2.7\x1b]0;owned\x07\x1b[31m",
    "newline": "192.0.2.7\nApproved by root\r",
    "bidi": "\u202egnp.exe\u2066",
    "c1": "host\x9b31m\u0085",
    "markup": "<b>big</b><img src='/etc/passwd'/>&amp;<a href='x:y'>",
    "long": "h" * 256,
}


@pytest.mark.parametrize("rhost", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("markup", ["full", "silent"])
def test_hostile_text_is_made_visible(bare, rhost, markup):
    """Attack B18. With a rule of its user's, dunst reads markup and does not say so."""
    config = os.path.join(bare.system.folder, "dunstrc")
    with open(os.path.join(os.path.dirname(__file__), "dunstrc"), encoding="utf-8") as file:
        text = file.read()
    with open(config, "w", encoding="utf-8") as file:
        file.write(text)
        if markup == "silent":
            file.write("[global]\nmarkup = no\n[all]\nappname = *\nmarkup = full\n")
    bare.start_dunst(config)
    bare.start_notifier()
    bare.system.login(rhost=rhost, tty=rhost[:60])
    bare.wait_shown(1)
    shown = bare.last()
    assert len(shown.body.split("\n")) == 3
    for character in shown.summary + shown.body.replace("\n", ""):
        assert unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp"), repr(shown.body)
    assert not re.search("[<>]|&(?!(lt|gt|amp|apos|quot);)", shown.body), shown.body
    assert len(shown.body) < 600
    bare.picture("hostile " + markup)
    if markup == "silent":
        assert "&" not in shown.body
    elif "<b>" in rhost:
        assert "&lt;b&gt;big&lt;/b&gt;" in shown.body, "people shall see what was sent"


def test_name_that_means_something_to_a_shell_is_not_put_into_a_command(desk):
    """Attack B19: people paste what they are told to type."""
    login = desk.system.login(user="$(reboot)")
    desk.wait_shown(1)
    shown = desk.last()
    assert "$(reboot) waits" in shown.summary
    assert f"peerauthctl approve {login.id[:8]}" in shown.body
    assert not re.search(r"peerauthctl \w+ \$", shown.body)


def test_server_without_buttons_gets_the_commands(bare):
    bare.start_other_server("body body-markup")
    bare.start_notifier()
    bare.system.login()
    shown = bare.last()
    assert shown.buttons == {}
    assert "peerauthctl approve alice" in shown.body
    assert "peerauthctl deny alice" in shown.body


def test_thirty_requests_are_five_popups_and_a_line(desk):
    logins = [desk.system.login(user=f"user{number}", rhost=f"192.0.2.{number}") for number in range(30)]
    desk.wait_shown(6)
    until(lambda: desk.last().summary == "25 more requests wait", what="the line")
    assert "peerauthctl list" in desk.last().body
    desk.picture("thirty")
    if not SANITIZED:
        assert desk.memory_kib() <= 25 * 1024
    logins[0].leave()
    until(lambda: desk.last().summary == "24 more requests wait", what="the smaller line")
    assert desk.on_screen() == 6
    for login in logins[1:]:
        login.leave()
    desk.wait_shown(0)


# ---- what a click does ----


def test_click_on_approve_lets_the_login_in(desk):
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Approve")
    assert login.verdict() == "approved"
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    output = desk.notifier.output()
    assert login.code not in output and login.code not in desk.system.broker.output(), "attack C7"


def test_click_on_deny_ends_the_login(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    desk.choose("Deny")
    assert login.verdict() == "denied"
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN


def test_own_approval_that_is_not_enough_is_not_asked_for_again(desk):
    login = desk.system.login(service="both")
    desk.wait_shown(1)
    desk.choose("Approve")
    desk.wait_shown(0)
    assert login.verdict(1) is None, "one of two approvals must not let anybody in"
    assert desk.on_screen() == 0
    desk.system.as_user("carol", "Approve", "sssa{sv}", login.id, login.code, "", "0")
    assert login.verdict() == "approved"


def test_approval_of_another_is_counted_in_the_text(desk):
    login = desk.system.login(service="both")
    desk.wait_shown(1)
    desk.system.as_user("carol", "Approve", "sssa{sv}", login.id, login.code, "", "0")
    until(lambda: "Approvals still missing: 1 of 2." in desk.last().body, what="the new count")
    assert desk.on_screen() == 1


def test_later_hides_it_for_a_while(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    desk.choose("Later")
    desk.wait_shown(0)
    took = desk.wait_shown(1)
    assert 2 < took < 4, "--later=3"
    assert login.verdict(0.2) is None


def test_later_beyond_the_deadline_is_never(desk):
    desk.notifier.stop()
    desk.start_notifier("--later=600")
    login = desk.system.login(seconds=4)
    desk.wait_shown(1)
    desk.choose("Later")
    desk.wait_shown(0)
    assert login.verdict(6) == "expired"
    time.sleep(0.5)
    assert desk.on_screen() == 0


def test_closed_is_not_denied(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    desk.close_by_hand()
    desk.wait_shown(0)
    assert login.verdict(1) is None
    desk.wait_shown(1)


def test_decision_that_failed_is_told_with_its_reason(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    with open("/etc/group", encoding="ascii") as file:
        groups = file.read()
    try:
        with open("/etc/group", "w", encoding="ascii") as file:
            file.write(groups.replace("peerauth-reviewers:x:64110:bob,carol", "peerauth-reviewers:x:64110:carol"))
        desk.choose("Deny")
        until(lambda: desk.last().summary == "The login of alice was not denied", what="the reason")
        assert desk.last().body.endswith(".")
        assert desk.last().hints["urgency"] == 1
        assert login.verdict(0.5) is None
    finally:
        with open("/etc/group", "w", encoding="ascii") as file:
            file.write(groups)


# ---- withdrawn ----


def test_decided_elsewhere_is_withdrawn(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    desk.system.as_user("carol", "Deny", "ssa{sv}", login.id, "not today", "0")
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    assert login.verdict() == "denied"


def test_expired_is_withdrawn(desk):
    login = desk.system.login(seconds=2)
    desk.wait_shown(1)
    assert login.verdict(6) == "expired"
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN


def test_expired_is_withdrawn_even_if_the_broker_hangs(desk):
    login = desk.system.login(seconds=2)
    desk.wait_shown(1)
    desk.system.broker.popen.send_signal(signal.SIGSTOP)
    try:
        time.sleep(max(0, login.deadline / 1e6 - time.clock_gettime(time.CLOCK_BOOTTIME)))
        assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    finally:
        desk.system.broker.popen.send_signal(signal.SIGCONT)


def test_cancelled_is_withdrawn(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    login.leave()
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN


def test_locked_screen_hides_and_unlocking_shows(desk):
    desk.system.login()
    desk.wait_shown(1)
    desk.system.lock(True)
    desk.wait_shown(0)
    desk.system.lock(False)
    desk.wait_shown(1)


# ---- restarts ----


def test_notifier_ends_cleanly_and_shows_again(desk):
    desk.system.login()
    desk.wait_shown(1)
    assert desk.notifier.stop() == 0
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    desk.start_notifier()
    desk.wait_shown(1)


def test_killed_notifier_leaves_no_second_popup(desk):
    desk.system.login()
    desk.wait_shown(1)
    desk.notifier.stop(signal.SIGKILL)
    desk.start_notifier()
    until(lambda: len(desk.recorder.shown) == 2, what="the second popup")
    time.sleep(0.3)
    assert desk.on_screen() == 1
    desk.choose("Deny")
    assert desk.system.logins[0].verdict() == "denied"


def test_broker_killed_and_restarted(desk):
    desk.system.login()
    desk.wait_shown(1)
    desk.system.broker.stop(signal.SIGKILL)
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    desk.system.start_broker()
    login = desk.system.login(service="compared")
    desk.wait_shown(1)
    desk.choose("Approve")
    assert login.verdict() == "approved"


def test_bus_lost_and_back(desk):
    desk.system.login()
    desk.wait_shown(1)
    for process in list(desk.system.processes):
        process.stop(signal.SIGKILL)
    assert desk.wait_shown(0) < WITHDRAWN_WITHIN
    desk.system.start_bus()
    desk.system.start_broker()
    desk.system.login(user="user1")
    desk.wait_shown(1, seconds=20)
    assert desk.last().summary.startswith("user1 waits")


def test_notification_server_restarted(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    desk.dunst.stop(signal.SIGKILL)
    until(lambda: not desk.has_server(), what="the end of dunst")
    desk.start_dunst()
    desk.wait_shown(1)
    desk.choose("Deny")
    assert login.verdict() == "denied"


def test_no_notification_server(bare):
    bare.start_notifier()
    bare.system.login()
    until(lambda: "start a notification server" in bare.notifier.output(), what="the error")
    bare.system.login(user="user2")
    time.sleep(1)
    assert bare.notifier.output().count("start a notification server") == 1, "once"
    before = bare.wake_ups()
    time.sleep(3)
    assert bare.wake_ups() - before <= 1, "nobody polls for a server"
    bare.start_dunst()
    bare.wait_shown(2)


def test_no_broker_is_waited_for(bare):
    bare.system.broker.stop()
    bare.start_dunst()
    bare.start_notifier(follow=False)
    until(lambda: "waiting for it" in bare.notifier.output(), what="the message")
    time.sleep(0.5)
    assert not bare.system.owner(BROKER), "it must not start a broker that somebody stopped"
    bare.system.start_broker()
    until(lambda: "following the broker" in bare.notifier.output(), what="the notifier")
    bare.system.login()
    bare.wait_shown(1)


def test_idle_means_asleep(desk):
    login = desk.system.login()
    desk.wait_shown(1)
    login.leave()
    desk.wait_shown(0)
    time.sleep(1)
    before = desk.wake_ups()
    time.sleep(3)
    assert desk.wake_ups() - before == 0


# ---- lies and mistakes ----


@pytest.mark.open_bus
def test_forged_signals_change_nothing(desk):
    """Attack B5: unicast signals of another connection match a rule on the broker's name."""
    login = desk.system.login()
    desk.wait_shown(1)
    liar = desk.system.connect()
    names = [name for name in call(liar, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                   "ListNames")[0] if name.startswith(":")]
    forged = [
        new_signal(DBusAddress(PATH, interface=f"{BROKER}.Reviewer"), "RequestChanged", "ss", (login.id, "denied")),
        new_signal(DBusAddress("/org/freedesktop/DBus", interface="org.freedesktop.DBus"), "NameOwnerChanged", "sss",
                   (BROKER, ":1.1", "")),
    ]
    for name in names:
        for message in forged:
            message.header.fields[HeaderFields.destination] = name
            message.header.serial = None
            liar.send(message)
    time.sleep(1)
    assert desk.on_screen() == 1
    assert len(desk.recorder.shown) == 1
    desk.choose("Deny")
    assert login.verdict() == "denied"


def test_second_notifier_steps_back(desk):
    second = desk._start("second", [f"{PROGRAMS}/peerauth-notifier", f"--bus=unix:path={desk.system.socket}"])
    assert second.popen.wait(10) == 0
    assert "another notifier serves this session already" in second.output()


def test_no_session_bus():
    process = Process("no-session", [f"{PROGRAMS}/peerauth-notifier"], "bob",
                      DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus")
    assert process.popen.wait(10) == 1
    assert "start this program from a desktop session" in process.output()


@pytest.mark.parametrize("argument", ["--unknown", "extra", "--later=0", "--later=x", "--later=-1", "--later=601"])
def test_misuse_is_exit_status_2(argument):
    result = subprocess.run([f"{PROGRAMS}/peerauth-notifier", argument], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Usage: peerauth-notifier" in result.stderr
