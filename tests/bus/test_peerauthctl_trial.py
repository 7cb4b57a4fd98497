# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauthctl policy test: what would happen to a login, why, and who could approve it now. There is no broker."""

import json
import re

import pytest

import peerauth_bus as bus
from peerauth_ctl import USAGE, Ctl, Files


@pytest.fixture
def ctl(host):
    return Ctl(host)


@pytest.fixture
def files(host):
    return Files(host.folder)


def ask(ctl, files, user, service, *words):
    """policy test, as JSON."""
    words = (f"--user={user}", f"--service={service}", *words)
    return json.loads(ctl.works("policy", "test", "-j", *files.options, *words))


# ---- which rule ----


@pytest.mark.parametrize(
    ("key", "has"),
    [
        ("Service=cron atd", "sshd"),
        ("User=carol", "bob"),
        ("Group=others", "none"),
        ("Tty=tty1 pts/*", "ssh"),
        ("Location=local", "remote"),
        ("Time=Mon-Fri 08:00-18:00, Sun", "Sat 22:30"),
        ("Address=10.0.0.0/8 192.0.2.1", "192.0.2.7"),
    ],
)
def test_every_earlier_rule_says_which_key_did_not_fit(ctl, files, key, has):
    files.write(f"[Rule x]\n{key}\nAction=exempt\n")
    words = ("--rhost=192.0.2.7", "--tty=ssh", "--time=2026-11-21 22:30")  # a Saturday
    told = ask(ctl, files, "bob", "sshd", *words)
    assert told["earlier"] == [
        {"rule": "x", "file": f"{files.conf}/peerauth.conf", "line": 1, "wants": key, "has": has}
    ]
    assert (told["rule"], told["outcome"]) == ("rest", "denied")
    text = ctl.works("policy", "test", "-ubob", "-ssshd", *files.options, *words).splitlines()
    assert text[0].split() == ["NOT", "THIS", "RULE", "WHERE", "FOR", "IT", "WANTS", "AND", "THIS", "IS"]
    assert key in text[1] and text[1].endswith(has)


@pytest.mark.parametrize(
    ("action", "stage", "outcome"),
    [
        ("exempt", "auth", "passes"),
        ("deny", "auth", "denied"),
        ("monitor\nReviewers=others", "auth", "passes"),
        ("require\nReviewers=others", "auth", "held"),
        ("exempt", "account", "passes"),
        ("deny", "account", "denied"),
        ("monitor\nReviewers=others", "account", "passes"),
        ("require\nReviewers=others", "account", "denied"),
    ],
)
def test_what_the_rule_does_at_each_stage(ctl, files, action, stage, outcome):
    files.write(f"[Rule x]\nService=sshd\nAction={action}\n")
    told = ask(ctl, files, "bob", "sshd", f"--stage={stage}")
    assert (told["rule"], told["stage"], told["outcome"]) == ("x", stage, outcome)
    assert told["earlier"] == []


def test_where_the_module_takes_no_part(ctl, files):
    """At PAM's account stage: the services that the module is built to skip, by its own table."""
    protocol = (bus.TOP / "common/protocol.h").read_text()
    built_in = re.search(r"#define PEERAUTH_SERVICES_SKIPPED((?:.*\\\n)*.*)", protocol)[1]
    skipped = re.findall(r"[\w-]+", " ".join(re.findall('"([^"]*)"', built_in)))
    assert "sudo" in skipped and len(skipped) > 5
    files.write("[Rule x]\nAction=require\nReviewers=others\n")
    for service in skipped:
        told = ask(ctl, files, "bob", service, "--stage=account")
        assert told["outcome"] == "ignored" and "rule" not in told and told["earlier"] == [], service
        assert ask(ctl, files, "bob", service)["outcome"] == "held", service
    assert ask(ctl, files, "bob", "sshd", "--stage=account")["outcome"] == "denied"
    assert ask(ctl, files, "bob", "polkit-1")["outcome"] == "ignored"  # at any stage


def test_what_no_rule_matches_is_denied(ctl, files):
    files.write("[Rule x]\nService=cron\nAction=exempt\n", vendor="[Rule y]\nUser=carol\nAction=exempt\n")
    told = ask(ctl, files, "bob", "sshd")
    assert (told["outcome"], told["why"]) == ("denied", "no rule matches") and "rule" not in told
    assert [rule["rule"] for rule in told["earlier"]] == ["x", "y"]


def test_a_host_of_which_only_the_name_is_known_is_denied(ctl, files):
    files.write("[Rule x]\nAddress=10.0.0.0/8\nAction=exempt\nService=sshd\n")
    told = ask(ctl, files, "bob", "sshd", "--rhost=lab.example.org")
    assert (told["rule"], told["unsure"], told["outcome"]) == ("x", True, "denied")
    assert "names are never resolved" in told["why"]
    assert ask(ctl, files, "bob", "sshd", "--rhost=10.9.9.9")["outcome"] == "passes"
    assert ask(ctl, files, "bob", "sshd", "--rhost=::ffff:10.9.9.9")["outcome"] == "passes"
    assert ask(ctl, files, "bob", "sshd")["rule"] == "rest"


def test_a_group_that_is_not_found_denies_what_depends_on_groups(ctl, files):
    files.write("[Rule bg]\nService=cron\nAction=exempt\n[Rule x]\nGroup=gone\nAction=deny\n",
                vendor="[Rule all]\nAction=exempt\n")  # fmt: skip
    told = ask(ctl, files, "bob", "sshd")
    assert told["outcome"] == "denied" and "group" in told["why"]
    assert ask(ctl, files, "bob", "cron")["outcome"] == "passes"


def test_accounts_are_compared_by_their_one_name(ctl, files):
    """Attack A7."""
    files.write("[Rule x]\nUser=alice\nAction=exempt\nService=sshd\n")
    told = ask(ctl, files, "ally", "sshd")
    assert (told["user"], told["uid"], told["rule"]) == ("alice", bus.uid_of("alice"), "x")
    told = ask(ctl, files, "nobody-there", "sshd")
    assert (told["exists"], told["rule"]) == (False, "rest")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2026-11-21 22:30", "Sat 22:30"), ("sat 22:30", "Sat 22:30"), ("Mon 00:00", "Mon 00:00"),
     ("2028-02-29 23:59", "Tue 23:59")],
)  # fmt: skip
def test_times_are_dates_or_weekdays(ctl, files, text, shown):
    files.write("")
    assert ask(ctl, files, "bob", "sshd", f"--time={text}")["time"] == shown


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--user=bob",),
        ("--user=bob", "--service="),
        ("--user=", "--service=sshd"),
        ("--service=sshd",),
        ("-ubob", "-ssshd", "--time=22:30"),
        ("-ubob", "-ssshd", "--time=Sat"),
        ("-ubob", "-ssshd", "--time=Sat 24:00"),
        ("-ubob", "-ssshd", "--time=Sat 22:60"),
        ("-ubob", "-ssshd", "--time=Sat 22:30 "),
        ("-ubob", "-ssshd", "--time=2026-02-29 12:00"),
        ("-ubob", "-ssshd", "--time=2026-13-01 12:00"),
        ("-ubob", "-ssshd", "--time=2026-1-01 12:000"),
        ("-ubob", "-ssshd", "--time="),
        ("-ubob", "-ssshd", "--stage=session"),
        ("-ubob", "-ssshd", "--strict"),
        ("-ubob", "-ssshd", "extra"),
    ],
)
def test_usage_errors(ctl, files, words):
    files.write("")
    assert ctl.fails(USAGE, "policy", "test", *files.options, *words)


# ---- who could approve now ----


def people(told):
    return {person["user"]: person["counts-as"] for person in told["people"]}


TWO = "[Rule x]\nService=sshd\nAction=require\nReviewers=peerauth-reviewers:2\n"


def test_who_is_there_and_counts(host, ctl, files):
    """Attack B13, as the broker counts."""
    files.write(TWO + "EscalateTo=others\nAdmins=peerauth-admins\n")
    host.logind.change("dave", LockedHint=True)
    host.logind.change("carol", Remote=True)
    host.logind.remove("mallory")
    host.logind.change("root", Class="greeter")
    told = ask(ctl, files, "alice", "sshd")
    assert people(told) == {
        "alice": "own login: does not count",
        "bob": "reviewer",
        "carol": "remote session: does not count (RemoteReviewers=no)",
        "erin": "administrator",
        "frank": "reviewer after escalation",
    }
    bob = next(person for person in told["people"] if person["user"] == "bob")
    assert bob == {"user": "bob", "uid": bus.uid_of("bob"), "local": True, "administrator": False,
                   "parts": ["peerauth-reviewers"], "counts-as": "reviewer"}  # fmt: skip
    text = ctl.works("policy", "test", "-ualice", "-ssshd", *files.options)
    rows = [line.split() for line in text.split("LOGGED IN")[1].splitlines()[1:]]
    assert ["bob", "local", "reviewer", "peerauth-reviewers"] in rows
    assert (told["reachable"], told["missing"], told["enough"]) == (2, 1, True)  # erin alone is enough
    assert (told["later-reachable"], told["later-missing"], told["later-enough"]) == (3, 0, True)
    assert told["now"] == "held"


def test_whether_a_quorum_is_reachable(host, ctl, files):
    files.write(TWO)
    for who in ("carol", "dave"):
        host.logind.remove(who)
    told = ask(ctl, files, "alice", "sshd")
    assert (told["reachable"], told["missing"], told["enough"], told["now"]) == (1, 1, False, "held")
    text = ctl.works("policy", "test", "-ualice", "-ssshd", *files.options)
    assert "Quorum: cannot be reached: 1 more needed\n" in text
    host.logind.add("carol", session="again")
    told = ask(ctl, files, "alice", "sshd")
    assert (told["reachable"], told["missing"], told["enough"]) == (2, 0, True)
    told = ask(ctl, files, "bob", "sshd")  # whose own vote does not count
    assert (told["reachable"], told["missing"], told["enough"]) == (2, 0, True)  # alice and carol
    host.logind.remove("alice")
    assert ask(ctl, files, "bob", "sshd")["missing"] == 1


def test_parts_need_different_people(host, ctl, files):
    files.write("[Rule x]\nService=sshd\nAction=require\nReviewers={bob carol} and {bob}\n")
    assert ask(ctl, files, "alice", "sshd")["missing"] == 0
    host.logind.remove("carol")
    assert ask(ctl, files, "alice", "sshd")["missing"] == 1


@pytest.mark.parametrize(
    ("value", "now"),
    [("wait", "held"), ("deny", "denied"), ("recovery-only", "denied"), ("allow-and-record", "passes")],
)
def test_what_happens_if_nobody_is_there(host, ctl, files, value, now):
    files.write(f"{TWO}WhenNobody={value}\n")
    told = ask(ctl, files, "alice", "sshd")
    assert (told["when-nobody"], told["outcome"], told["now"]) == (value, "held", "held")
    for who in ("bob", "carol", "dave"):
        host.logind.remove(who)
    told = ask(ctl, files, "alice", "sshd")
    assert (told["reachable"], told["outcome"], told["now"]) == (0, "held", now)
    text = ctl.works("policy", "test", "-ualice", "-ssshd", *files.options)
    assert f"If nobody is there: {value}\n" in text
    assert f"{now}: nobody who could approve is logged in" in text


def test_a_group_that_does_not_exist_approves_nobody(host, ctl, files):
    files.write("[Rule x]\nService=sshd\nAction=require\nReviewers=gone\nWhenNobody=allow-and-record\n")
    assert ask(ctl, files, "alice", "sshd")["now"] == "denied"


def test_monitor_says_what_a_review_would_find(ctl, files):
    files.write("[Rule x]\nService=sshd\nAction=monitor\nReviewers={bob}\nWhenNobody=deny\n")
    told = ask(ctl, files, "alice", "sshd")
    assert (told["outcome"], told["now"], told["enough"]) == ("passes", "passes", True)


def test_without_logind_it_is_not_known_who_is_there(ctl, files):
    files.write(f"{TWO}WhenNobody=allow-and-record\n")
    told = ask(ctl, files, "alice", "sshd", "--bus=unix:path=/nonexistent")
    assert (told["people-known"], told["now"], told["in-force"]) == (False, "held", None)
    assert "people" not in told and "reachable" not in told
    text = ctl.works("policy", "test", "-ualice", "-ssshd", *files.options, "--bus=unix:path=/nonexistent")
    assert "Quorum: not known who is there: " in text
    assert "In force: not known: the system bus is out of reach\n" in text


def test_text_from_outside_is_harmless(ctl, files):
    """Attack B18."""
    files.write("[Rule x]\nService=sshd\nAction=deny\n")
    words = ("--user=a\x1b[2J", "--service=b\r\n\u202ec", "--rhost=d\x9be", "--tty=\x07")
    for form in ((), ("-j",)):
        text = ctl.works("policy", "test", *files.options, *words, *form)
        assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c == "\u202e"], text
