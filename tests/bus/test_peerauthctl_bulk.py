# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauthctl: decisions about many requests, notes that a rule asks for, and polkit's agent on the terminal."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from peerauth_bus import until
from peerauth_ctl import ERROR, GONE, OK, REFUSED, USAGE, Ctl

RULE = "[Rule {0}]\nService={0}\nAction=require\nReviewers=peerauth-reviewers:1\nAdmins=peerauth-admins\n"
RULES = (
    RULE.format("shown") + "Code=compare\n"
    + RULE.format("typed")
    + RULE.format("noted") + "Code=compare\nNote=required\n"
    + RULE.format("ticket") + "Note=match:OPS-[0-9]+\n"
    + RULE.format("stated") + "Reason=required\n"
    + RULE.format("told") + "Reason=optional\nCode=compare\n"
    + "[Rule opens]\nService=opens\nAction=require\nReviewers=peerauth-reviewers:2\n"
      "EscalateTo=peerauth-reviewers:1\nEscalateAfter=10s\nExpires=60s\n"
    + "[Rule late]\nService=late\nAction=require\nReviewers=peerauth-reviewers:2\nEscalateTo=others\n"
      "EscalateAfter=10s\nExpires=60s\nDenyThreshold=2\n"
    + "[Rule own]\nService=own\nAction=require\nReviewers={erin bob}\nAdmins=peerauth-admins\nCode=compare\n"
    + "[Rule admin]\nService=admin\nAction=require\nAdmins=peerauth-admins\n"
)  # fmt: skip


@pytest.fixture
def system(host):
    host.start_broker(rules=RULES)
    return host


@pytest.fixture
def ctl(system):
    return Ctl(system)


def decisions(logins):
    return [login.kinds()[1:] for login in logins]


# ---- bulk ----


def test_all_that_fit_are_denied_each_with_its_own_entry(system, ctl):
    fit = [system.login("alice", "shown", tty=f"tty{n}", rhost="192.0.2.7") for n in (1, 2)]
    others = [
        system.login("mallory", "shown", rhost="192.0.2.7"),
        system.login("alice", "typed", rhost="192.0.2.7"),
        system.login("alice", "shown", tty="tty9", rhost="192.0.2.70"),
    ]
    words = ("--all", "--user=alice", "--service=shown", "--rhost=192.0.2.7", "-m", "not ours")
    result = ctl.run("deny", *words, "--yes", who="erin")
    assert result.returncode == OK, result
    assert result.stdout.splitlines() == [f"denied: request {login.id[:8]} of alice" for login in fit]
    for login in fit:
        verdict, details = login.verdict()
        assert (verdict, details["by"], details["note"]) == ("denied", ["erin"], "not ours")
    assert all(login.verdict(0.1) is None for login in others)
    assert decisions(fit) == [["vote", "decision"]] * 2


def test_codes_that_must_be_typed_are_left_alone(system, ctl):
    shown, typed = system.login("alice", "shown"), system.login("alice", "typed")
    result = ctl.run("approve", "--all", "--yes", who="erin")
    assert result.returncode == OK
    assert result.stdout == f"approved: request {shown.id[:8]} of alice\n"
    assert f"left alone: request {typed.id[:8]} of 'alice': its rule wants the code to be typed" in result.stderr
    assert shown.verdict()[0] == "approved" and typed.verdict(0.1) is None
    assert shown.code not in result.stdout + result.stderr
    assert decisions([shown, typed]) == [["vote", "decision"], []]


def test_only_left_alone_is_refused(system, ctl):
    typed = system.login("alice", "typed")
    result = ctl.run("approve", "--all", "--yes", who="erin")
    assert (result.returncode, result.stdout) == (REFUSED, "") and "left alone" in result.stderr
    assert typed.verdict(0.1) is None


def test_the_result_as_json(system, ctl):
    shown, typed = system.login("alice", "shown"), system.login("mallory", "typed", rhost="192.0.2.7")
    told = json.loads(ctl.works("approve", "--all", "--yes", "-j", who="erin"))
    assert [(item["id"], item["user"], item["rhost"], item["result"]) for item in told] == [
        (shown.id, "alice", "", "approved"), (typed.id, "mallory", "192.0.2.7", "left-alone"),
    ]  # fmt: skip
    assert told[0]["why"] == "" and "typed" in told[1]["why"]


def test_only_administrators_decide_in_bulk(system, ctl):
    login = system.login("alice", "shown")
    assert "administrators" in ctl.fails(REFUSED, "deny", "--all", "--yes", who="bob")
    assert login.kinds() == ["request-created"]
    assert ctl.run("deny", "--all", "--yes", who="root").returncode == OK  # counts as one
    assert login.verdict()[0] == "denied"


def test_own_logins_are_left_alone(system, ctl):
    """Attack B10."""
    own, login = system.login("erin", "own"), system.login("alice", "shown")
    assert "own (your own login)" in ctl.works(who="erin")
    assert json.loads(ctl.works("show", own.id, "-j", who="erin"))["self"] is True
    result = ctl.run("approve", "--all", "--yes", who="erin")
    assert (result.returncode, result.stdout) == (OK, f"approved: request {login.id[:8]} of alice\n")
    assert f"left alone: request {own.id[:8]} of 'erin': it is your own login" in result.stderr
    assert own.verdict(0.1) is None


def test_it_asks_once_after_showing_what_is_meant(system, ctl):
    logins = [system.login(user, "shown", rhost="192.0.2.7") for user in ("alice", "mallory")]
    terminal = ctl.spawn("deny", "--all", who="erin")
    for login in logins:
        terminal.expect_exact(f"Request {login.id[:8]}: ")
    terminal.expect_exact("Deny 2 requests? [y/N]")
    terminal.sendline("")
    assert ctl.end(terminal) == REFUSED
    assert decisions(logins) == [[], []]
    terminal = ctl.spawn("deny", "--all", who="erin")
    terminal.expect_exact("[y/N]")
    terminal.sendline("y")
    assert ctl.end(terminal) == OK
    assert [login.verdict()[0] for login in logins] == ["denied"] * 2


def test_the_reason_is_shown_before_it_asks(system, ctl):
    login = system.login("alice", "told", reason="deploy\x1b[2J 4.2")
    terminal = ctl.spawn("approve", "--all", who="erin")
    terminal.expect_exact(f"Request {login.id[:8]}: ")
    terminal.expect_exact("Reason given: deploy\\x1b[2J 4.2")
    terminal.expect_exact("Approve 1 request? [y/N]")
    terminal.sendline("")
    assert ctl.end(terminal) == REFUSED
    assert login.kinds() == ["request-created"]


@pytest.mark.parametrize("words", [("deny", "--all"), ("approve", "--all"), ("approve", "alice")])
def test_what_was_typed_before_the_question_is_no_answer(system, ctl, words):
    login = system.login("alice", "shown")
    os.kill(system.broker.pid, signal.SIGSTOP)
    try:
        terminal = ctl.spawn(*words, who="erin")
        terminal.send("y\ny\ny\n")
        terminal.expect_exact("y\r\ny\r\ny\r\n")  # the terminal has it
    finally:
        os.kill(system.broker.pid, signal.SIGCONT)
    terminal.expect_exact("[y/N]")
    time.sleep(0.3)
    assert terminal.isalive() and login.kinds() == ["request-created"]
    terminal.sendline("y")
    assert ctl.end(terminal) == OK
    assert login.kinds() == ["request-created", "vote", "decision"]


def test_nobody_is_asked_without_a_terminal(system, ctl):
    login = system.login("alice", "shown")
    assert "--yes" in ctl.fails(USAGE, "deny", "--all", who="erin")
    assert login.kinds() == ["request-created"]


def test_one_that_fails_does_not_keep_the_others(system, ctl):
    """Decided by somebody else between the list and the call."""
    gone, stays = system.login("alice", "shown"), system.login("mallory", "shown")
    terminal = ctl.spawn("deny", "--all", who="erin")
    terminal.expect_exact("[y/N]")
    gone.client.leave()
    until(lambda: gone.kinds()[-1] != "request-created", what="the end of the request")
    terminal.sendline("y")
    terminal.expect_exact(f"failed: request {gone.id[:8]} of 'alice'")
    terminal.expect_exact(f"denied: request {stays.id[:8]} of mallory")
    assert ctl.end(terminal) == ERROR
    assert stays.verdict()[0] == "denied"


def test_nothing_that_fits_is_gone(system, ctl):
    ctl.fails(GONE, "deny", "--all", who="erin")
    system.login("alice", "shown")
    ctl.fails(GONE, "deny", "--all", "--user=ALICE", "--yes", who="erin")
    ctl.fails(GONE, "deny", "--all", "--rhost=", "--user=mallory", "--yes", who="erin")


@pytest.mark.parametrize(
    "words",
    [("--all", "alice"), ("--user=alice",), ("alice", "--service=shown"), ("alice", "--rhost=x"), (),
     ("--all", "--tty=tty1"), ("--all", "--time=Sat 22:30")],
)  # fmt: skip
def test_usage_errors(system, ctl, words):
    login = system.login("alice", "shown")
    for verb in ("approve", "deny"):
        assert ctl.fails(USAGE, verb, "--yes", *words, who="erin")
    assert login.kinds() == ["request-created"]


# ---- notes ----


def test_a_required_note_is_asked_for_on_a_terminal(system, ctl):
    login = system.login("alice", "noted")
    terminal = ctl.spawn("approve", "alice", "--yes")
    terminal.expect_exact("Note, which the rule requires: ")
    terminal.sendline("called back")
    assert ctl.end(terminal) == OK
    assert login.verdict() == ("approved", {"by": ["bob"], "note": "called back"})


def test_a_required_note_is_an_option_without_a_terminal(system, ctl):
    login = system.login("alice", "noted")
    assert "--note=TEXT" in ctl.fails(USAGE, "approve", "alice", "--yes")
    assert login.kinds() == ["request-created"]
    ctl.works("approve", "alice", "--yes", "--note=called back")
    assert login.verdict()[1]["note"] == "called back"


def test_a_denial_waits_for_no_note(system, ctl):
    first, second = system.login("alice", "noted"), system.login("mallory", "noted")
    ctl.works("deny", "alice")
    assert first.verdict()[0] == "denied"
    terminal = ctl.spawn("deny", "mallory")
    terminal.expect_exact("Note, which the rule asks for, or Enter: ")
    terminal.sendline("")
    assert ctl.end(terminal) == OK
    assert second.verdict()[0] == "denied"


def test_a_note_of_another_form_is_refused_with_the_form(system, ctl):
    login = system.login("alice", "ticket")
    line = ctl.fails(USAGE, "approve", "alice", "--note=because", typed=login.code)
    assert "OPS-[0-9]+" in line and "--note=TEXT" in line
    assert login.verdict(0.1) is None
    ctl.works("approve", "alice", "--note=OPS-17", typed=login.code)
    assert login.verdict()[0] == "approved"


def test_bulk_leaves_alone_what_needs_a_note(system, ctl):
    noted, shown = system.login("alice", "noted"), system.login("alice", "shown")
    result = ctl.run("approve", "--all", "--yes", who="erin")
    assert result.returncode == OK and "its rule requires a note" in result.stderr
    assert noted.verdict(0.1) is None and shown.verdict()[0] == "approved"
    ctl.works("approve", "--all", "--yes", "--note=drill", who="erin")
    assert noted.verdict()[1]["note"] == "drill"


# ---- what is shown ----


def test_show_and_list_have_the_terms_of_the_rule(system, ctl):
    stated = system.login("alice", "stated", reason="deploy 4.2")
    ticket, admin, late = (system.login("mallory", service) for service in ("ticket", "admin", "late"))
    shown = {login.id: json.loads(ctl.works("show", login.id, "-j", who="erin")) for login in (stated, ticket, admin)}
    assert (shown[stated.id]["reason"], shown[stated.id]["note-mode"]) == ("deploy 4.2", "optional")
    assert (shown[ticket.id]["note-mode"], shown[ticket.id]["note-pattern"]) == ("pattern", "OPS-[0-9]+")
    assert shown[admin.id]["missing"] == 4294967295
    assert "Still missing: an administrator\n" in ctl.works("show", admin.id, who="erin")
    assert "Reason given: deploy 4.2\n" in ctl.works("show", stated.id, who="erin")
    assert "Reason given: deploy 4.2\n" in ctl.run("approve", stated.id[:12], typed=stated.code).stderr
    ctl.works("deny", late.id)
    told = json.loads(ctl.works("show", late.id, "-j", who="carol"))
    assert (told["denials"], told["missing"], told["escalated"], told["self"]) == (1, 2, False, False)
    lines = {line.split()[0]: line for line in ctl.works("list", who="carol").splitlines()}
    line = next(line for start, line in lines.items() if late.id.startswith(start))
    assert "0/2, 1 against" in line


def test_enough_by_an_escalation_needs_one_more_approval(system, ctl):
    """Who approved before it is enough now, and nobody has voted since."""
    login = system.login("alice", "opens")
    assert "1 more needed" in ctl.works("approve", "alice", typed=login.code)
    until(lambda: json.loads(ctl.works("show", "alice", "-j"))["escalated"], seconds=20, what="the escalation")
    assert json.loads(ctl.works("show", "alice", "-j"))["missing"] == 0
    assert "Still missing: one more approval\n" in ctl.works("show", "alice")
    assert "goes on" in ctl.works("approve", "alice", who="carol", typed=login.code)


def test_a_list_fits_a_terminal(system, ctl):
    for user, service in (("alice", "shown"), ("mallory", "late")):
        system.login(user, service, rhost="2001:db8::1234:5678")
    lines = ctl.works("list").splitlines()
    assert len(lines) == 3 and max(len(line) for line in lines) <= 80, lines


# ---- polkit's agent ----


@pytest.fixture
def agent(host):
    """A stand-in for pkttyagent, in this mount namespace only: tells what it was given, and stays."""
    place = pathlib.Path("/usr/bin/pkttyagent")
    assert place.exists(), "polkitd is not installed; tests/support/deps installs it"
    seen = host.folder / "agent"
    seen.mkdir(mode=0o777)
    seen.chmod(0o777)
    script = host.folder / "pkttyagent"
    script.write_text(
        f"#!/bin/sh\nenv >{seen}/env\necho $PPID >{seen}/parent\ntrap 'echo >{seen}/ended; exit 0' TERM\n"
        f"printf '%s\\n' \"$@\" >{seen}/arguments.new\nmv {seen}/arguments.new {seen}/arguments\n"
        'eval "exec $4>&-"\nwhile :; do sleep 0.05; done\n'
    )
    script.chmod(0o755)
    subprocess.run(["mount", "--bind", script, place], check=True)
    try:
        yield seen
    finally:
        subprocess.run(["umount", place], check=True)


def test_an_agent_is_there_while_the_broker_is_asked(agent, system, ctl):
    """Nothing of the environment goes to it but how to write on the terminal."""
    ctl.environment |= {"SECRET": "1", "LD_LIBRARY_PATH": "/nowhere", "PATH": "/nowhere:/usr/bin", "HOME": "/nowhere"}
    login = system.login("alice", "typed")
    terminal = ctl.spawn("approve", "alice")
    terminal.expect("told you: ")
    assert not list(agent.iterdir())  # it would read the code away
    terminal.sendline(login.code)
    assert ctl.end(terminal) == OK
    assert (agent / "arguments").read_text().split()[::2] == ["--process", "--notify-fd", "--fallback"]
    assert (agent / "arguments").read_text().split()[1] == (agent / "parent").read_text().strip()
    environment = dict(line.split("=", 1) for line in (agent / "env").read_text().splitlines())
    assert {name for name in environment if name not in ("PWD", "SHLVL", "_", "OLDPWD")} == {
        "TERM", "LC_ALL", "DBUS_SYSTEM_BUS_ADDRESS",
    }  # fmt: skip
    assert environment["DBUS_SYSTEM_BUS_ADDRESS"] == f"unix:path={system.socket}"
    assert (agent / "ended").exists()
    assert login.verdict()[0] == "approved"


def test_no_agent_without_a_terminal_or_for_root(agent, system, ctl):
    login = system.login("alice", "typed")
    ctl.works("approve", "alice", typed=login.code)
    second = system.login("mallory", "typed")
    terminal = ctl.spawn("approve", "mallory", who="root")
    terminal.expect("told you: ")
    terminal.sendline(second.code)
    assert ctl.end(terminal) == OK
    assert not list(agent.iterdir())
