# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauthctl policy keys, check, show, reload. No broker is needed to read the files, so most tests have none."""

import json
import re
import shutil

import pytest

import peerauth_bus as bus
from peerauth_ctl import ERROR, OK, PRIVILEGE, REST, UNREACHABLE, Ctl, Files

REVIEWED = "Action=require\nReviewers=peerauth-reviewers:2\nAdmins=peerauth-admins\n"


@pytest.fixture
def ctl(host):
    return Ctl(host)


@pytest.fixture
def files(host):
    return Files(host.folder)


# ---- keys ----


def test_keys_are_those_of_the_manual_in_its_order(ctl):
    listed = json.loads(ctl.works("policy", "keys", "-j"))
    manual = (bus.TOP / "docs/peerauth.conf.5.scd").read_text()
    assert [row["key"] for row in listed] == re.findall(r"^\*([A-Za-z]+)=\*$", manual, re.M)
    row = next(row for row in listed if row["key"] == "Expires")
    assert (row["type"], row["default"]) == ("duration, 10s to 10min", "5min") and row["help"]
    assert ctl.works("policy", "keys").splitlines()[0].split() == ["KEY", "TYPE", "DEFAULT", "WHAT", "IT", "SAYS"]


# ---- text that is not UTF-8 ----


def test_text_that_is_not_utf8_is_escaped_in_both_forms(ctl, host):
    odd = host.folder / "odd\udce4"
    odd.mkdir(mode=0o755)
    files = Files(odd)
    files.write("[Rule one]\nService=sshd\n" + REVIEWED)
    shown = f"{host.folder}/odd\\xe4/policy-etc/peerauth.conf"
    assert f"{shown}:1" in ctl.works("policy", "show", *files.options)
    told = json.loads(ctl.works("policy", "show", *files.options, "-j"))
    assert told["rules"][0]["file"] == shown
    login = ("--user=b\udcffb", "--service=s\udcff", "--tty=\udc80", *files.options)
    assert "b\\xffb" in ctl.works("policy", "test", *login)
    told = json.loads(ctl.works("policy", "test", *login, "-j"))
    assert (told["user"], told["service"], told["tty"]) == ("b\\xffb", "s\\xff", "\\x80")


def test_a_drop_in_whose_name_is_not_utf8_is_refused_by_its_name(ctl, files):
    files.write("[Rule one]\nService=sshd\n" + REVIEWED)
    drop_ins = files.conf / "peerauth.conf.d"
    drop_ins.mkdir(mode=0o755)
    (drop_ins / "50-\udce4.conf").write_text("[Rule x]\nAction=deny\n")
    for words in (("check",), ("show",), ("test", "--user=bob", "--service=sshd")):
        result = ctl.run("policy", *words, *files.options)
        assert result.returncode == ERROR and result.stderr.count("\n") == 1, result
        assert re.search(rf"{drop_ins}/50-\\+xe4\.conf: .*not UTF-8; rename it", result.stderr), result


# ---- check ----


def test_a_good_policy_is_ok_and_counted(ctl, files):
    files.write("[Rule one]\nService=sshd\n" + REVIEWED)
    assert ctl.works("policy", "check", *files.options, "--strict") == "ok, 2 rules\n"
    assert ctl.works("policy", "check", *files.options, "-q") == ""
    told = json.loads(ctl.works("policy", "check", *files.options, "-j"))
    assert re.fullmatch("[0-9a-f]{64}", told.pop("hash"))
    assert told == {"ok": True, "rules": 2, "warnings": []}


@pytest.mark.parametrize(
    ("rules", "line", "text"),
    [
        ("[Rule x]\nAction=require\nReviewrs=ops\n", 3, "did you mean 'Reviewers'"),
        ("[Rule x]\nService=sshd\nAction=allow\n", 3, "allow"),
        ("[Rule x]\nAction=deny\n\nnonsense\n", 4, "nonsense"),
    ],
)
def test_a_mistake_is_told_as_compilers_do(ctl, files, rules, line, text):
    files.write(rules)
    result = ctl.run("policy", "check", *files.options)
    assert (result.returncode, result.stdout) == (ERROR, "")
    assert result.stderr.startswith(f"{files.conf}/peerauth.conf:{line}: ") and text in result.stderr, result
    assert result.stderr.count("\n") == 1
    result = ctl.run("policy", "check", *files.options, "-j")
    told = json.loads(result.stdout)
    assert result.returncode == ERROR and told["ok"] is False
    assert told["error"].startswith(f"{files.conf}/peerauth.conf:{line}: ")


def test_a_file_that_others_could_have_written_is_refused(ctl, files):
    """Attack A3."""
    files.write("[Rule x]\nAction=exempt\nService=sshd\n")
    (files.conf / "peerauth.conf").chmod(0o666)
    for words in (("check",), ("show",), ("test", "--user=bob", "--service=sshd")):
        result = ctl.run("policy", *words, *files.options)
        assert result.returncode == ERROR and f"{files.conf}/peerauth.conf: " in result.stderr, result
        assert result.stdout == ""


def test_a_file_that_one_may_not_read_is_a_matter_of_privilege(ctl, files):
    files.write("[Rule x]\nAction=exempt\nService=sshd\n")
    (files.conf / "peerauth.conf").chmod(0o600)
    assert ctl.run("policy", "show", *files.options).returncode == PRIVILEGE
    assert ctl.run("policy", "show", *files.options, who="root").returncode == OK


NO_END = (
    "no rule covers every login, so what no rule matches is denied; if that is meant, say so with a last rule that has "
    "Action=deny and no keys to match"
)


@pytest.mark.parametrize(
    ("rules", "line", "text"),
    [
        (
            "[Rule wide]\nService=sshd login\nAction=deny\n[Rule narrow]\nService=sshd\nUser=bob\nAction=deny\n",
            4,
            "rule 'narrow' is never reached: rule 'wide' at {conf}/peerauth.conf:1 comes before and decides all of its "
            "logins",
        ),
        (
            "[Rule net]\nService=sshd\nAddress=10.0.0.0/8\nAction=deny\n"
            "[Rule host]\nService=sshd\nAddress=10.1.2.3\nAction=deny\n",
            5,
            "rule 'host' is never reached: rule 'net' at {conf}/peerauth.conf:1 comes before and decides all of its "
            "logins",
        ),
        (
            "[Rule week]\nService=sshd\nTime=Mon-Fri\nAction=deny\n"
            "[Rule noon]\nService=sshd\nTime=Wed 11:00-13:00\nAction=deny\n",
            5,
            "rule 'noon' is never reached: rule 'week' at {conf}/peerauth.conf:1 comes before and decides all of its "
            "logins",
        ),
        (
            "[Rule x]\nService=sshd\nAction=require\nReviewers=ops-not-here\nAdmins=peerauth-admins\n",
            1,
            "Reviewers=: there is no group 'ops-not-here'",
        ),
        (
            "[Rule x]\nService=sshd\nAction=require\nReviewers=others:2\nAdmins=peerauth-admins\n",
            1,
            "Reviewers=: group 'others' has fewer than 2 members",
        ),
        (
            "[Rule x]\nService=sshd\nAction=require\nReviewers=tape\nAdmins=peerauth-admins\n",
            1,
            "Reviewers=: group 'tape' has no members",
        ),
        (
            "[Rule x]\nService=sshd\nAction=require\nReviewers=peerauth-reviewers\nEscalateTo={nobody-there}\n"
            "Admins=peerauth-admins\n",
            1,
            "EscalateTo=: there is no account 'nobody-there'",
        ),
        (
            "[Rule x]\nService=sshd\nAction=require\nReviewers=peerauth-reviewers\nAdmins=gone\n",
            1,
            "Admins=: there is no group 'gone'; only root counts",
        ),
        ("[Rule x]\nService=sshd\nUser=nobody-there\nAction=deny\n", 1, "User=: there is no account 'nobody-there'"),
        (
            "[Rule x]\nService=sshd\nUser=ally\nAction=deny\n",
            1,
            "User=: 'ally' is another name of 'alice', and only that one is compared; write 'alice'",
        ),
        (
            "[Rule x]\nService=sshd\nGroup=gone\nAction=deny\n",
            1,
            "Group=: there is no group 'gone', and until there is, every login that depends on groups is denied",
        ),
        (
            "[Rule x]\nUser=frank\nAction=require\nReviewers=others\n",
            1,
            "nobody can approve the login of 'frank': without 'frank' there are too few reviewers, and nobody approves "
            "their own login",
        ),
        (
            "[Rule x]\nUser=bob\nAction=require\nReviewers={bob}\n",
            1,
            "nobody can approve the login of 'bob': without 'bob' there are too few reviewers, and nobody approves "
            "their own login",
        ),
        (
            "[Rule x]\nUser=bob\nAction=exempt\n",
            1,
            "Action=exempt without Service= lets these logins pass at every service, sshd and sudo among them",
        ),
        (
            "[Rule x]\nLocation=local\nAddress=10.0.0.0/8\nAction=deny\n",
            1,
            "Location=local and Address= never fit together: no login from this machine has an address",
        ),
    ],
)
def test_what_is_surely_not_meant_is_a_warning(ctl, files, rules, line, text):
    files.write(rules)
    text = text.format(conf=files.conf)
    result = ctl.run("policy", "check", *files.options)
    n = 1 + rules.count("[Rule")
    assert (result.returncode, result.stdout) == (OK, f"ok, {n} rules, 1 warning\n"), result
    assert result.stderr == f"{files.conf}/peerauth.conf:{line}: warning: {text}\n"
    result = ctl.run("policy", "check", *files.options, "--strict")
    assert (result.returncode, result.stdout) == (ERROR, f"{n} rules, 1 warning\n")
    told = json.loads(ctl.works("policy", "check", *files.options, "-j"))
    assert [(w["line"], w["text"]) for w in told["warnings"]] == [(line, text)]


@pytest.mark.parametrize(
    "rules",
    [
        "[Rule a]\nService=sshd\nUser=bob\nAction=deny\n[Rule b]\nService=sshd\nAction=deny\n",
        "[Rule a]\nTime=Mon-Fri 08:00-18:00\nAction=deny\n[Rule b]\nTime=Fri 17:00-19:00\nAction=deny\n",
        "[Rule a]\nTty=tty1 pts/*\nAction=deny\n[Rule b]\nTty=tty2\nAction=deny\n",
        "[Rule a]\nAddress=10.0.0.0/8\nAction=deny\n[Rule b]\nLocation=remote\nAction=deny\n",
        "[Rule a]\nAddress=10.1.0.0/16 10.0.0.0\nAction=deny\n[Rule b]\nAddress=10.0.0.0/8\nAction=deny\n",
        "[Rule a]\nGroup=others\nAction=deny\n[Rule b]\nUser=frank\nAction=deny\n",
        "[Rule a]\nUser=bob\nAction=require\nReviewers={bob}\nSelfReview=yes\n",
        "[Rule a]\nUser=bob\nAction=require\nReviewers={bob carol}\n",
    ],
)
def test_what_may_be_meant_is_no_warning(ctl, files, rules):
    files.write(rules)
    result = ctl.run("policy", "check", *files.options, "--strict")
    assert (result.returncode, result.stderr) == (OK, ""), result


def test_a_policy_without_an_end_says_so(ctl, files):
    files.write("[Rule x]\nService=sshd\nAction=deny\n", vendor="[Rule y]\nLocation=remote\nAction=deny\n")
    result = ctl.run("policy", "check", *files.options)
    assert (result.returncode, result.stdout) == (OK, "ok, 2 rules, 1 warning\n")
    assert result.stderr == f"warning: {NO_END}\n"
    warning = json.loads(ctl.works("policy", "check", *files.options, "-j"))["warnings"][0]
    assert warning == {"text": NO_END}


def test_the_policy_as_shipped_has_no_warning(ctl, files):
    """It names accounts of greeters of which a machine has one or none; an administrator's file would not."""
    shutil.copy(bus.TOP / "packaging/peerauth.conf", files.vendor)
    (files.vendor / "peerauth.conf").chmod(0o644)
    result = ctl.run("policy", "check", *files.options, "--strict")
    assert (result.returncode, result.stderr) == (OK, ""), result
    shutil.move(files.vendor / "peerauth.conf", files.conf)
    assert "User=: there is no account 'sddm'" in ctl.run("policy", "check", *files.options).stderr


# ---- show ----


def test_show_is_in_the_order_of_asking(ctl, files):
    files.write(
        "[Rule night]\nService=sshd\nTime=Mon-Fri 22:00-06:00, Sat\nAddress=10.0.0.0/8 2001:db8::/32\nAction=deny\n"
        "[Rule build]\nService=sudo\nAction=require\nReviewers={carol bob}:2 and others or peerauth-reviewers:3\n"
        "EscalateTo=peerauth-reviewers\nEscalateAfter=90s\nAdmins=peerauth-admins\n",
        vendor="[Rule background]\nService=cron\nAction=exempt\n" + REST,
    )
    told = json.loads(ctl.works("policy", "show", *files.options, "-j"))
    assert told["in-force"] is None
    first = "2 of {carol bob} and 1 of others, or 3 of peerauth-reviewers"
    assert [tuple(rule[k] for k in ("rule", "line", "action", "reviewers", "logins")) for rule in told["rules"]] == [
        ("night", 1, "deny", "-", "Service=sshd Address=10.0.0.0/8 2001:db8::/32 Time=Mon-Fri 22:00-06:00, Sat"),
        (
            "build",
            6,
            "require",
            f"{first}, or 1 of peerauth-admins; after 1min 30s: {first}, or 1 of peerauth-reviewers, or 1 of "
            "peerauth-admins",
            "Service=sudo",
        ),
        ("background", 1, "exempt", "-", "Service=cron"),
        ("rest", 4, "deny", "-", "every login"),
    ]
    assert [rule["file"] for rule in told["rules"]] == [f"{files.conf}/peerauth.conf"] * 2 + [
        f"{files.vendor}/peerauth.conf"
    ] * 2
    lines = ctl.works("policy", "show", *files.options).splitlines()
    assert [line.split()[:2] for line in lines[:5]] == [
        ["NO", "RULE"], ["1", "night"], ["2", "build"], ["3", "background"], ["4", "rest"],
    ]  # fmt: skip
    assert lines[-1] == "In force: not known: no broker is running"


def test_show_says_whether_the_broker_has_it(host, ctl):
    host.start_broker(rules="[Rule one]\nService=one\n" + REVIEWED)
    options = (f"--conf-dir={host.broker.conf}", f"--vendor-dir={host.broker.conf}/vendor")
    told = json.loads(ctl.works("policy", "show", *options, "-j"))
    assert told["in-force"] is True
    assert told["hash"] == host.control.statistics()["policy-hash"]
    host.broker.write_rules(REST)
    assert json.loads(ctl.works("policy", "show", *options, "-j"))["in-force"] is False
    assert ctl.works("policy", "show", *options).splitlines()[-1] == (
        "In force: no, the broker has another one: `peerauthctl policy reload`"
    )
    trial = json.loads(ctl.works("policy", "test", *options, "--user=bob", "--service=x", "-j"))
    assert (trial["rule"], trial["in-force"]) == ("rest", False)


# ---- reload ----


def test_reload_says_what_is_in_force(host, ctl):
    host.start_broker()
    host.broker.write_rules("[Rule one]\nService=one\n" + REVIEWED + REST)
    text = ctl.works("policy", "reload", who="erin")
    digest = host.control.statistics()["policy-hash"]
    assert text == f"In force: 2 rules, hash {digest[:12]}.\n"
    assert json.loads(ctl.works("policy", "reload", "-j", who="root")) == {"policy-hash": digest, "rules": 2}
    assert host.entries()[-1]["kind"] == "policy-changed"


def test_a_bad_file_leaves_the_old_policy_in_force(host, ctl):
    host.start_broker()
    before = host.control.statistics()["policy-hash"]
    host.broker.write_rules("[Rule x]\nAction=exempt\nNonsense=1\n")
    line = ctl.fails(ERROR, "policy", "reload", who="root")
    assert f"{host.broker.conf}/peerauth.conf:3: " in line
    assert line.endswith("the old policy stays in force")
    statistics = host.control.statistics()
    assert statistics["policy-hash"] == before
    assert host.login(service="exempt").outcome == "exempt"


def test_only_administrators_reload(host, ctl):
    host.start_broker()
    assert ctl.run("policy", "reload", who="bob").returncode == PRIVILEGE
    host.broker.stop()
    assert "peerauth-broker" in ctl.fails(UNREACHABLE, "policy", "reload", who="root")
