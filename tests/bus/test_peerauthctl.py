# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauthctl as people of several accounts use it: exit statuses, what is shown, where a code goes."""

import hashlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess

import pytest
from jeepney import DBusAddress, HeaderFields, new_signal

import peerauth_bus as bus
from peerauth_bus import until
from peerauth_ctl import BAD_LEDGER, ERROR, GONE, OK, PRIVILEGE, REFUSED, UNREACHABLE, USAGE, Ctl


@pytest.fixture
def ctl(system):
    return Ctl(system)


@pytest.fixture
def open_bus(monkeypatch):
    """A bus whose policy does not keep others from forging the broker's signals. Goes before system."""
    allow = '<policy context="mandatory"><allow send_type="signal"/></policy></busconfig>'
    monkeypatch.setattr(bus, "BUS_CONFIG", bus.BUS_CONFIG.replace("</busconfig>", allow))


# ---- deciding ----


def test_approve_with_the_code_that_was_said(system, ctl):
    login = system.login(service="one", rhost="192.0.2.7")
    result = ctl.run("approve", "alice", "--note", "called back", typed=f"{login.code[:3]} {login.code[3:]}\n")
    assert result.returncode == OK, result
    assert "alice" in result.stdout
    assert login.verdict() == ("approved", {"by": ["bob"], "note": "called back"})
    # who and where is shown before the code is used
    assert "alice, one from 192.0.2.7" in result.stderr
    assert login.code not in result.stdout + result.stderr


def test_the_first_of_two_approvals_says_that_one_is_missing(system, ctl):
    login = system.login(service="two")
    assert "1 more needed" in ctl.works("approve", login.id[:10], typed=login.code)
    assert login.verdict(0.1) is None
    assert "goes on" in ctl.works("approve", login.id[:10], who="carol", typed=login.code)
    assert login.verdict()[0] == "approved"


def test_wrong_code_is_refused_and_a_malformed_one_is_not_sent(system, ctl):
    login = system.login(service="one")
    wrong = f"{(int(login.code) + 1) % 1000000:06}"
    ctl.fails(USAGE, "approve", "alice", typed="12345\n")
    ctl.fails(USAGE, "approve", "alice", typed="")
    ctl.fails(USAGE, "approve", "alice", typed="9" * 5000 + "\n")
    assert login.kinds() == ["request-created"]
    ctl.fails(REFUSED, "approve", "alice", typed=wrong)
    assert login.kinds() == ["request-created", "wrong-code"]


@pytest.mark.parametrize("spelling", ["{0}", "{1} {2}", "{1}-{2}", " {0} "])
def test_a_code_as_argument_is_refused_and_not_repeated(system, ctl, spelling):
    login = system.login(service="one")
    word = spelling.format(login.code, login.code[:3], login.code[3:])
    line = ctl.fails(USAGE, "approve", word)
    assert "never an argument" in line and login.code not in line
    assert login.kinds() == ["request-created"]


def test_deny_needs_no_code_and_records_the_note(system, ctl):
    login = system.login(service="one")
    ctl.works("deny", "alice", "-m", 'not her; $(id) "x" \x1b[31m')
    verdict, details = login.verdict()
    assert verdict == "denied" and details["note"] == 'not her; $(id) "x" \x1b[31m'


def test_compare_asks_on_a_terminal_and_no_is_the_default(system, ctl):
    login = system.login(service="compare")
    terminal = ctl.spawn("approve", "alice")
    terminal.expect(f"{login.code[:3]} {login.code[3:]}")
    terminal.expect(r"\[y/N\]")
    terminal.sendline("")
    assert ctl.end(terminal) == REFUSED
    assert login.verdict(0.1) is None
    ctl.fails(USAGE, "approve", "alice")  # nobody to ask
    terminal = ctl.spawn("approve", "alice")
    terminal.expect(r"\[y/N\]")
    terminal.sendline("y")
    assert ctl.end(terminal) == OK
    assert login.verdict()[0] == "approved"


def test_yes_answers_for_a_script_but_replaces_no_code(system, ctl):
    compared, entered = system.login(service="compare"), system.login("mallory", "one")
    ctl.works("approve", "alice", "--yes")
    assert compared.verdict()[0] == "approved"
    ctl.fails(USAGE, "approve", "mallory", "--yes")
    assert entered.verdict(0.1) is None


def test_a_person_may_mistype_on_a_terminal(system, ctl):
    login = system.login(service="one")
    terminal = ctl.spawn("approve", "alice")
    terminal.expect("Code that alice told you: ")
    terminal.sendline("12 34")
    terminal.expect("six digits")
    terminal.expect("Code that alice told you: ")
    terminal.sendline(login.code)
    assert ctl.end(terminal) == OK
    assert login.kinds() == ["request-created", "vote", "decision"]


def test_the_code_is_in_no_argument_and_no_environment(system, ctl):
    """Attack C7, while the program holds the code and waits for a stopped broker."""
    login = system.login(service="one")
    terminal = ctl.spawn("approve", "alice")
    terminal.expect("told you: ")
    os.kill(system.broker.pid, signal.SIGSTOP)
    try:
        terminal.sendline(login.code)
        terminal.expect(r"\n")
        for name in ("cmdline", "environ"):
            assert login.code.encode() not in pathlib.Path(f"/proc/{terminal.pid}/{name}").read_bytes()
    finally:
        os.kill(system.broker.pid, signal.SIGCONT)
    assert ctl.end(terminal) == OK


# ---- who may ----


def test_exit_statuses_of_what_cannot_be_done(system, ctl):
    system.login(service="one")
    ctl.fails(GONE, "approve", "nobody-waits", typed="000000")
    ctl.fails(GONE, "show", "0123456789abcdef0123456789abcdef")
    ctl.fails(GONE, "deny", "alice", who="frank")  # may not see it: the same as unknown (attack B8)
    ctl.fails(PRIVILEGE, "ledger", "show", who="bob")
    ctl.fails(PRIVILEGE, "ledger", "export", "-o", "x", who="bob")
    assert not list(ctl.folder.iterdir())


def test_ambiguous_names_list_the_candidates(system, ctl):
    first, second = system.login(service="one", tty="tty1"), system.login(service="two", tty="tty2")
    assert first.id != second.id
    line = ctl.fails(USAGE, "show", "alice")
    assert first.id[:4] in line and second.id[:4] in line
    assert json.loads(ctl.works("show", second.id, "-j"))["service"] == "two"


def test_no_broker_and_no_bus_are_out_of_reach(system, ctl):
    system.broker.stop()
    for words in ((), ("show", "alice"), ("status",), ("watch",), ("ledger", "verify")):
        line = ctl.fails(UNREACHABLE, *words)
        assert "peerauth-broker" in line, line
    assert "system bus" in ctl.fails(UNREACHABLE, "--bus=unix:path=/nonexistent")


# ---- the command line ----


@pytest.mark.parametrize(
    "words",
    [
        ("bogus",),
        ("--bogus",),
        ("-x",),
        ("ledger",),
        ("ledger", "bogus"),
        ("approve",),
        ("approve", "a", "b"),
        ("list", "--note=x"),
        ("list", "--code=123456"),
        ("--json=yaml",),
        ("--quiet=1",),
        ("deny", "alice", "--note"),
        ("deny", "alice", "--note=" + "x" * 501),
        ("ledger", "show", "-n", "-1"),
        ("ledger", "show", "-n", "0"),
        ("ledger", "export"),
        ("ledger", "export", "-o", "-"),
        ("ledger", "export", "-o", "x", "--format=csv"),
        ("ledger", "export", "-o", "a\nb"),
        ("list", "--", "--json"),
    ],
)
def test_usage_errors(ctl, words):
    assert ctl.fails(USAGE, *words, who="root")
    assert not list(ctl.folder.iterdir())


@pytest.mark.parametrize("name", ["$(touch pwned)", "`touch pwned`", "x; touch pwned", "-rf", "--", "*", "%s%n", "a\nb", "\x1b[2J"])
def test_names_are_only_text(ctl, name):
    """Attack B19."""
    for verb in ("show", "deny", "approve"):
        assert "is waiting" in ctl.fails(GONE, verb, "--", name, typed="000000\n")
    assert not list(ctl.folder.iterdir())


def test_help_names_every_verb(ctl):
    text = ctl.works("--help")
    policy = [f"policy {verb}" for verb in ("keys", "check", "show", "test", "reload")]
    ways = [f"recovery {verb}" for verb in ("generate", "status", "remove")] + ["totp enroll", "totp remove"]
    for verb in ["list", "show", "approve", "deny", "watch", "status", "ledger export", "ledger verify", *policy, *ways]:
        assert f"  {verb}" in text
        assert f"peerauthctl [OPTION...] {verb}" in ctl.works(*verb.split(), "--help")


# ---- what is shown ----


def test_list_is_oldest_first_in_text_and_json_and_without_codes(system, ctl):
    logins = [system.login(user, "compare") for user in ("alice", "mallory", "erin")]
    text, listed = ctl.works(), json.loads(ctl.works("list", "--json=short"))
    assert [line.split()[1] for line in text.splitlines()] == ["USER", "alice", "mallory", "erin"]
    assert [request["id"] for request in listed] == [login.id for login in logins]
    for login in logins:
        assert login.code not in text and "code" not in listed[0]
        assert json.loads(ctl.works("show", login.id, "-j"))["code"] == login.code


def test_list_reads_every_page(system, ctl):
    logins = [system.login(f"user{n}", "one") for n in range(10, 30)] + [
        system.login(user, "one") for user in ("alice", "mallory", "erin", "olga", "frank", "dave", "carol")
    ]
    listed = json.loads(ctl.works("-j"))
    assert [request["id"] for request in listed] == [login.id for login in logins]
    assert len(listed) == 27


def test_text_from_outside_is_harmless(system, ctl):
    """Attack B18: one line, no control, and no space by which a host could look like two columns."""
    system.login(service="one", rhost="evil\x1b[2J\r\n\u202e x", tty="tty\x9b1")
    for words in ((), ("show", "alice"), ("-j",), ("show", "alice", "-j")):
        text = ctl.works(*words)
        assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c == "\u202e"], text
    assert len(ctl.works().splitlines()) == 2


def test_status_tells_of_a_broken_policy(system, ctl):
    assert json.loads(ctl.works("status", "-j"))["policy-valid"] is True
    system.broker.reload("[Rule x]\nNonsense=1\n", says="refused")
    result = ctl.run("status")
    assert result.returncode == ERROR and "policy is not valid" in result.stderr, result


def test_watch_follows_decisions_and_a_new_broker(open_bus, system, ctl):
    watch = ctl.spawn("watch", "--json=short")
    until(lambda: system.control.statistics()["subscribers"] == 1)
    login, forger = system.login(service="compare"), system.client("mallory")
    event = json.loads(watch.readline())
    assert (event["id"], event["state"]) == (login.id, "pending") and "code" not in event
    for name in [name for name in forger.bus("ListNames")[0] if name.startswith(":")]:  # attack B5
        forged = new_signal(DBusAddress(bus.PATH, name, bus.REVIEWER), "RequestChanged", "ss", (login.id, "denied"))
        forged.header.fields[HeaderFields.destination] = name
        forger.send_message(forged)
    assert forger.bus("GetId")  # the daemon has handed them on
    ctl.works("approve", "alice", "--yes")
    event = json.loads(watch.readline())
    assert (event["id"], event["state"]) == (login.id, "approved")
    system.broker.stop()
    watch.expect("the broker stopped")
    watch.readline()
    system.start_broker(name="second")
    until(lambda: system.control.statistics()["subscribers"] == 1)
    again = system.login("mallory", "one")
    assert json.loads(watch.readline())["id"] == again.id
    watch.sendintr()
    assert ctl.end(watch) == OK


# ---- the ledger ----


def export(ctl, name, *words):
    ctl.works("ledger", "export", f"--output={name}", *words, who="root")
    return ctl.folder / name


def test_exports_are_complete_identical_and_verify(system, ctl):
    system.login(service="one")
    first, second = export(ctl, "first.db"), export(ctl, "second.db")
    lines = export(ctl, "lines.jsonl", "--format=jsonl")
    assert first.read_bytes() == second.read_bytes()
    assert lines.read_text().splitlines() == system.bodies()
    assert ctl.works("ledger", "export", "--format=jsonl", "-o-", who="root") == lines.read_text()
    for file in (first, second, lines):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert (ctl.folder / f"{file.name}.sha256").read_text() == f"{digest}  {file.name}\n"
        verdict = json.loads(ctl.works("ledger", "verify", file.name, "-j", who="root"))
        assert verdict["good"] is True and verdict["entries"] == len(system.bodies())
    assert json.loads(ctl.works("ledger", "verify", "-j", who="olga"))["good"] is True
    assert len(list(ctl.folder.iterdir())) == 12  # four each, and nothing else


def test_an_export_is_not_replaced_unasked(system, ctl):
    file = export(ctl, "a.db")
    (ctl.folder / "a.db.vkey").unlink()
    before = file.read_bytes()
    system.login(service="one")
    ctl.fails(ERROR, "ledger", "export", "-o", "a.db", who="root")
    assert file.read_bytes() == before and len(list(ctl.folder.iterdir())) == 3
    export(ctl, "a.db", "--force")
    assert file.read_bytes() != before
    ctl.works("ledger", "verify", "a.db", who="root")


def test_a_full_disk_leaves_nothing_behind(ctl):
    target = ctl.folder / "full"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", target], check=True)
    try:
        line = ctl.fails(ERROR, "ledger", "export", "-o", "full/a.db", who="root")
        assert "No space left" in line and not list(target.iterdir())
    finally:
        subprocess.run(["umount", target], check=True)
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run(ctl.command("-j"), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == ERROR and "standard output" in result.stderr


def test_changed_and_shortened_ledgers_do_not_verify(system, ctl):
    """Attacks L1 and L3, as an auditor meets them."""
    system.login(service="one")
    kept = export(ctl, "old.db")
    system.login("mallory", "one")
    file = export(ctl, "new.db")
    checkpoint = ctl.works("ledger", "checkpoint", who="root")
    (ctl.folder / "kept").write_text(checkpoint)
    ctl.works("ledger", "verify", "new.db", "--checkpoint=old.db.checkpoint", who="root")
    line = ctl.run("ledger", "verify", kept.name, "--checkpoint=kept", who="root")
    assert line.returncode == BAD_LEDGER and "left" in line.stderr, line

    database = sqlite3.connect(file)
    trigger = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'entry_update'").fetchone()[0]
    database.execute("PRAGMA writable_schema = ON")
    database.execute("UPDATE sqlite_schema SET sql = replace(sql, 'ABORT', 'IGNORE') WHERE name = 'entry_update'")
    database.commit()
    database.close()
    assert "ABORT" in trigger
    assert "verify" in ctl.fails(BAD_LEDGER, "ledger", "verify", file.name, who="root")

    lines = export(ctl, "lines.jsonl", "--format=jsonl")
    lines.write_text(lines.read_text().replace('"user":"alice"', '"user":"frank"', 1))
    assert ctl.run("ledger", "verify", lines.name, who="root").returncode == BAD_LEDGER
    lines.write_text("")
    assert ctl.run("ledger", "verify", lines.name, who="root").returncode == BAD_LEDGER
