# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worked policies do what their comments say, and the manual page shows them as they are."""
import json
import os
import re
import shutil
import subprocess

import pytest

from expected import ALL, POLICIES, TOP, VENDOR, policy_text

PEERAUTHCTL = os.path.join(os.environ["PEERAUTH_BUILD"], "peerauthctl")
PAGE = TOP / "docs/peerauth-policies.7.scd"
NAMES = sorted(path.stem for path in POLICIES.glob("*.conf"))
ROWS = [row for expected in ALL.values() for row in expected.rows]
# Jobs without a person who waits; held, they would stop the machine.
BACKGROUND = ("cron", "crond", "atd", "cups", "systemd-user", "runuser", "runuser-l")


def write_policy(folder, policy, steps):
    """Folders with the policy over the rules as shipped, and the options that name them."""
    etc, vendor = folder / "etc", folder / "vendor"
    for place in (etc, vendor):
        place.mkdir(mode=0o755)
    shutil.copy(VENDOR, vendor / "peerauth.conf")
    text = policy_text(policy, steps)
    if text is not None:
        (etc / "peerauth.conf").write_text(text)
    return [f"--conf-dir={etc}", f"--vendor-dir={vendor}"]


@pytest.fixture(scope="session")
def options(tmp_path_factory):
    made = {}

    def give(policy, steps=()):
        if (policy, steps) not in made:
            made[policy, steps] = write_policy(tmp_path_factory.mktemp(policy), policy, steps)
        return made[policy, steps]

    return give


def ask(system, arguments):
    done = subprocess.run([PEERAUTHCTL, f"--bus=unix:path={system.socket}", *arguments], capture_output=True, text=True,
                          check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def trial(system, options, **login):
    given = [f"--{key}={value}" for key, value in login.items() if value != "-"]
    return json.loads(ask(system, ["policy", "test", "--json=short", *options, *given]))


def found(answer):
    """The answer in the words of the .expected files."""
    people = answer.get("people")
    approvers = {person["user"] for person in people or () if person["administrator"] or person["parts"]}
    quorum = "-" if people is None else "yes" if answer["enough"] else "later" if answer.get("later-enough") else "no"
    # A rule of which it cannot be told whether it matches denies, whatever it says.
    action = "deny" if answer.get("unsure") else answer.get("action", "-")
    return (answer.get("rule") or "-", action, answer.get("now", answer["outcome"]), approvers, quorum)


def test_there_are_five_and_each_has_its_expectations():
    assert NAMES == ["build-host", "family", "lab", "monitor", "two-person-root"]
    assert sorted(ALL) == NAMES


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_login(system, accounts, options, row):
    accounts(row.policy)
    system.present(row.present)
    answer = trial(system, options(row.policy, row.steps), user=row.user, service=row.service, tty=row.tty,
                   rhost=row.rhost, time=row.time, stage=row.stage)
    assert answer["exists"] is True, "the row names an account that is not there"
    assert found(answer) == (row.rule, row.action, row.outcome, row.approvers, row.quorum)


@pytest.mark.parametrize("name", NAMES)
def test_file_is_one_that_the_checker_accepts(system, accounts, options, name):
    accounts(name)
    ask(system, ["policy", "check", *options(name)])


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_decides_a_login_of_the_table(name):
    rules = set(re.findall(r"^\[Rule (.*)\]$", policy_text(name), re.M))
    assert rules <= {row.rule for row in ALL[name].rows if not row.steps}


@pytest.mark.parametrize("name", NAMES)
def test_every_account_keeps_its_jobs(system, accounts, options, name):
    accounts(name)
    system.present([])
    for user in ("root", *ALL[name].people):
        for service in BACKGROUND:
            for stage in ("auth", "account"):
                answer = trial(system, options(name), user=user, service=service, time="Sun 03:00", stage=stage)
                assert answer["outcome"] in ("passes", "ignored"), (user, service, stage, answer)


@pytest.mark.parametrize("name", NAMES)
def test_groups_of_the_policy_are_in_the_table(name):
    """Else a row would be denied because a group is missing, which says nothing of the policy."""
    lists = re.findall(r"^(?:Group|Admins)=(.*)$", policy_text(name), re.M)
    named = {word for value in lists for word in value.split()}
    for value in re.findall(r"^(?:Reviewers|EscalateTo)=(.*)$", policy_text(name), re.M):
        named |= set(re.findall(r"[a-z][a-z-]*", re.sub(r"\{.*?\}| and | or ", " ", value)))
    there = {group for groups in ALL[name].people.values() for group in groups}
    assert named <= there | {"peerauth-reviewers", "peerauth-admins"}


WAYS_OUT = [("lab", "tty1", "-"), ("family", "tty3", "-"), ("build-host", "tty1", "-"), ("monitor", "tty1", "-")]


@pytest.mark.parametrize("name, tty, rhost", WAYS_OUT)
def test_root_at_the_console_does_not_need_the_directory(system, accounts, options, name, tty, rhost):
    """A group that is gone, or whose directory does not answer, denies those whom it is about, and nobody else."""
    accounts("no-groups")
    system.present([])
    answer = trial(system, options(name), user="root", service="login", tty=tty, time="Sun 03:00")
    assert (answer["rule"], answer["outcome"]) == ("root-console", "passes")


def test_group_that_is_gone_denies_those_whom_it_may_be_about(system, accounts, options):
    accounts("no-groups")
    system.present([])
    answer = trial(system, options("lab"), user="dora", service="sshd", rhost="192.0.2.7", time="Tue 10:00")
    assert answer["outcome"] == "denied"


def blocks():
    """The literal blocks of the page."""
    return re.findall(r"^```\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


@pytest.mark.parametrize("name", NAMES)
def test_page_shows_the_file_as_it_is(name):
    assert policy_text(name) in blocks()


@pytest.mark.parametrize("name", NAMES)
def test_policy_says_what_happens_when_nobody_is_there(name):
    head = policy_text(name).split("\n\n")[0]
    assert "# When nobody is there: " in head
