# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every combination of action, alternatives, AND, deny threshold, self-review, administrators and code mode,
each with histories that tell the combinations apart."""
import itertools

from case import Case
from model import Login, Part, Person, Rule

WHO = Login("sshd", "me", [], "pts/1", "192.0.2.1", "desk", 0, 600)
BOSS = 5
PEOPLE = (
    Person(1000, "me", ["a", "b", "boss"], True),
    Person(1001, "anna", ["a"]),
    Person(1002, "bert", ["b"]),
    Person(1003, "carl", ["a", "b", "c"]),
    Person(1004, "cora", ["c"]),
    Person(1005, "dora", ["boss"]),
    Person(0, "root", []),
    Person(1000, "me", ["a", "b"], False),
    Person(1001, "anna", ["c"]),  # she changed her group
    Person(1002, "bert", []),  # he left
)

# Up to three alternatives of up to three parts; a few of each size instead of all 10,000.
ALTERNATIVES = (
    [],
    [[Part("a")]],
    [[Part("a", 2)]],
    [[Part("a"), Part("b")]],
    [[Part("a", 2), Part("b")]],
    [[Part("a"), Part("b"), Part("c")]],
    [[Part("a"), Part("a")]],
    [[Part("a", 3)], [Part("c")]],
    [[Part("a"), Part("b")], [Part("c", 2)]],
    [[Part("a"), Part("b")], [Part("a"), Part("c")]],
    [[Part("a", 2)], [Part("b", 2)], [Part("c", 2)]],
    [[Part("a", 2), Part("b", 2)], [Part("a"), Part("b"), Part("c")], [Part(("anna", "cora"), 2)]],
    [[Part(("anna",)), Part("c")], [Part(("me", "bert"), 2)]],
)
THRESHOLDS = (None, 1, 2, 3)

APPROVALS = [("approve", i) for i in range(len(PEOPLE))]
DENIALS = [("deny", i) for i in (0, 1, 2, 3, BOSS, 6, 7)]
# Ends of histories; before each of them stands every pair of votes.
TAILS = (
    [("approve", 3), ("approve", 4), ("approve", 0), ("approve", 5)],
    [("recheck", 8), ("recheck", 9), ("approve", 2), ("approve", 3), ("approve", 4)],
    [("wrong", 1), ("wrong", 7), ("wrong", 3), ("wrong", 6), ("approve", 3), ("wrong", 2)],
    [("deny", 2), ("deny", 0), ("deny", 4), ("deny", 6)],
    [("escalate", 0), ("approve", 4), ("approve", 3), ("deny", 1), ("tick", 0)],
)


def histories(case):
    pairs = itertools.product(APPROVALS + DENIALS, repeat=2)
    for turn, pair in enumerate(pairs):
        case.start(1000, 0, 1000)
        for now, (kind, number) in enumerate([*pair, *TAILS[turn % len(TAILS)]]):
            case.event(kind, now, number)


def settings():
    booleans = (None, False, True)
    return itertools.product(
        ("require", "monitor", "exempt", "deny"), ALTERNATIVES, THRESHOLDS, booleans, (None, "boss"),
        (None, "enter", "compare"),
    )  # fmt: skip


def refused(rule):
    """Whether the rule contradicts itself, by the manual."""
    held_only = (rule.reviewers or None, rule.deny_threshold, rule.self_review, rule.admins, rule.code)
    if rule.action in ("exempt", "deny"):
        return any(value is not None for value in held_only)
    if not rule.reviewers:
        return rule.admins is None or rule.deny_threshold is not None
    return False


def cases(share, shares):
    """share of shares: every so-manieth combination."""
    for number, (action, alternatives, threshold, self_review, admins, code) in enumerate(settings()):
        if number % shares != share:
            continue
        rule = Rule("r", action, reviewers=alternatives, deny_threshold=threshold, self_review=self_review,
                    admins=admins, code=code)  # fmt: skip
        case = Case(f"product-{number}")
        if refused(rule):
            case.refuse([rule])
        else:
            case.policy([rule])
            case.login(WHO)
            if case.held():
                for person in PEOPLE:
                    case.person(person)
                histories(case)
        yield case
