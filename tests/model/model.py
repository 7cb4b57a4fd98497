# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the specification says of a login, computed slowly and plainly.

Written from peerauth.conf(5) and the contracts in the headers, never from the sources: two readings of
one text that agree in 100,000 cases are worth more than one that was tested. Whoever changes the
meaning of a key changes it here by hand.
"""
import functools
import ipaddress
import re
from dataclasses import dataclass, field
from errno import EALREADY, EEXIST, EINVAL, EKEYEXPIRED, ENOENT, EPERM

DAY = 24 * 60
WEEK = 7 * DAY
NEVER = 2**32 - 1
NO_UID = 2**32 - 1
WRONG_CODES_MAX = 3


@dataclass(frozen=True)
class Part:
    """So many different people of a group, or of a list of accounts."""

    kind: str | tuple
    needed: int = 1


@dataclass
class Rule:
    """None stands for a key that is not written."""

    name: str
    action: str
    services: list | None = None
    users: list | None = None
    groups: list | None = None
    ttys: list | None = None
    location: str | None = None
    networks: list | None = None
    times: list | None = None  # of (days or None, (from, to) or None)
    reviewers: list = field(default_factory=list)  # alternatives, each a list of Part
    escalate_to: list = field(default_factory=list)
    escalate_after: int | None = None  # seconds
    admins: str | None = None
    deny_threshold: int | None = None
    self_review: bool | None = None
    remote_reviewers: bool | None = None
    code: str | None = None
    note: str | None = None  # as written: "off", "match:..."
    reason: str | None = None
    when_nobody: str | None = None
    expires: int | None = None

    def parts(self):
        return [part for alternative in self.reviewers + self.escalate_to for part in alternative]


@dataclass
class Login:
    service: str
    user: str
    groups: list
    tty: str | None
    rhost: str | None
    own_name: str
    weekday: int
    minute: int


@dataclass
class Person:
    uid: int
    name: str
    groups: list
    vouched: bool = False  # acts from an approved session of their own


# ---- which rule ----


def origin(login):
    """"local", an address, or "name": remote, and nobody knows from which network."""
    if not login.rhost or login.rhost == login.own_name:
        return "local"
    try:
        address = ipaddress.ip_address(login.rhost.partition("%")[0])
    except ValueError:
        return "name"
    return getattr(address, "ipv4_mapped", None) or address


def network_fits(networks, address):
    for text in networks:
        network = ipaddress.ip_network(text)
        if network.version == address.version and address in network:
            return True
    return False


def tty_fits(patterns, tty):
    def bare(name):
        return name[len("/dev/"):] if name.startswith("/dev/") else name

    if not tty:
        return False
    for pattern in map(bare, patterns):
        if pattern.endswith("*") and bare(tty).startswith(pattern[:-1]):
            return True
        if pattern == bare(tty):
            return True
    return False


def time_fits(spans, weekday, minute):
    now = weekday * DAY + minute
    for days, hours in spans:
        begin, end = hours or (0, DAY)
        length = end - begin if end > begin else DAY - begin + end
        for day in days if days is not None else range(7):
            if (now - day * DAY - begin) % WEEK < length:
                return True
    return False


def fit(rule, login):
    """The first key that says no, the address last; "unsure" if only that is open."""
    where = origin(login)
    if rule.services is not None and login.service not in rule.services:
        return "service"
    if rule.users is not None and login.user not in rule.users:
        return "user"
    if rule.groups is not None and not set(rule.groups) & set(login.groups):
        return "group"
    if rule.ttys is not None and not tty_fits(rule.ttys, login.tty):
        return "tty"
    if rule.location is not None and (rule.location == "local") != (where == "local"):
        return "location"
    if rule.times is not None and not time_fits(rule.times, login.weekday, login.minute):
        return "time"
    if rule.networks is not None:
        if where == "name":
            return "unsure"
        if where == "local" or not network_fits(rule.networks, where):
            return "address"
    return "yes"


ANSWERS = {"deny": "denied", "exempt": "exempt", "require": "pending", "monitor": "monitored"}


def decide(rules, login):
    """The rule and the answer: denied, exempt, pending, or monitored."""
    for rule in rules:
        how = fit(rule, login)
        if how == "unsure":
            return rule, "denied"
        if how == "yes":
            return rule, ANSWERS[rule.action]
    return None, "denied"


def decide_by_service(rules, service):
    for rule in rules:
        if rule.services is not None and service not in rule.services:
            continue
        conditions = (rule.users, rule.groups, rule.ttys, rule.location, rule.networks, rule.times)
        return rule if all(condition is None for condition in conditions) else None
    return None


# ---- what it asks for ----


def text_rule(written, default):
    """Mode and pattern of Note= or Reason=."""
    written = written or default
    return ("pattern", written[len("match:"):]) if written.startswith("match:") else (written, None)


def text_verdict(mode, pattern, text):
    given = bool(text) and text.strip(" \t\r\n\v\f") != ""
    if mode == "off":
        return "unwanted" if given else "fine"
    if mode == "optional":
        return "fine"
    if not given:
        return "missing"
    if mode == "required":
        return "fine"
    return "fine" if re.fullmatch(pattern, text) else "wrong"


def membership(rule, person):
    """Numbers of the rule's parts that the person belongs to."""
    return frozenset(
        number
        for number, part in enumerate(rule.parts())
        if (part.kind in person.groups if isinstance(part.kind, str) else person.name in part.kind)
    )


def is_admin(rule, person):
    return rule.admins is not None and (person.uid == 0 or rule.admins in person.groups)


def open_alternatives(rule, escalated):
    """Alternatives as lists of (number of the part, how many), numbered through both keys."""
    alternatives, number = [], 0
    for parts in rule.reviewers + rule.escalate_to:
        alternatives.append([(number + i, part.needed) for i, part in enumerate(parts)])
        number += len(parts)
    return tuple(map(tuple, alternatives if escalated else alternatives[: len(rule.reviewers)]))


@functools.lru_cache(maxsize=200000)
def missing(alternatives, people):
    """Tries every assignment of each person to one part or to none; equal outcomes are kept once."""
    best = NEVER
    for parts in alternatives:
        outcomes = {tuple(0 for _ in parts)}
        for belongs in people:
            more = set(outcomes)
            for outcome in outcomes:
                for i, (number, needed) in enumerate(parts):
                    if number in belongs and outcome[i] < needed:
                        more.add(outcome[:i] + (outcome[i] + 1,) + outcome[i + 1:])
            outcomes = more
        best = min(best, sum(needed for _, needed in parts) - max(map(sum, outcomes)))
    return best


class Request:
    """A login that waits. Votes are two dictionaries from uid to what the person was when they voted."""

    def __init__(self, rule, requester, now, deadline):
        self.rule, self.requester, self.deadline = rule, requester, deadline
        self.approved, self.denied, self.wrong, self.escalated = {}, {}, 0, False
        self.verdict = "pending"
        if not rule.parts() and rule.admins is None:
            self.verdict = "denied"
        elif deadline <= now:
            self.verdict = "expired"

    def missing(self):
        if self.verdict != "pending":
            return 0
        people = tuple(sorted(self.approved.values(), key=sorted))
        return missing(open_alternatives(self.rule, self.escalated), people)

    def apply(self, kind, now, person):
        if self.verdict != "pending":
            return -EALREADY
        if kind == "none":
            return -EINVAL
        if now >= self.deadline:
            self.verdict = "expired"
            return 1 if kind == "tick" else -EKEYEXPIRED
        r = getattr(self, "on_" + kind)(person)
        return r if r < 0 else int(self.verdict != "pending")

    def may_vote(self, person):
        """Alone, as one of the reviewers, or not at all."""
        parts = membership(self.rule, person)
        reviewer = any(number in parts for alternative in open_alternatives(self.rule, self.escalated)
                       for number, _ in alternative)
        if person.uid == NO_UID:
            return None
        if person.uid == self.requester:
            allowed = reviewer and self.rule.self_review and person.vouched
            return "reviewer" if allowed else None
        if is_admin(self.rule, person):
            return "admin"
        return "reviewer" if reviewer else None

    def on_approve(self, person):
        how = self.may_vote(person)
        if how is None:
            return -EPERM
        if person.uid in self.denied:
            return -EEXIST
        before = dict(self.approved)
        self.approved[person.uid] = membership(self.rule, person)
        if how == "admin" or self.missing() == 0:
            self.verdict = "approved"
        elif person.uid in before:  # saying it again changes nothing, unless it is enough by now
            self.approved = before
            return -EEXIST
        return 0

    def on_deny(self, person):
        how = self.may_vote(person)
        if how is None:
            return -EPERM
        if person.uid in self.denied and how != "admin":
            return -EEXIST
        self.approved.pop(person.uid, None)
        self.denied[person.uid] = True
        if how == "admin" or len(self.denied) >= (self.rule.deny_threshold or 1):
            self.verdict = "denied"
        return 0

    def on_wrong(self, person):
        if self.may_vote(person) is None:
            return -EPERM
        self.wrong += 1
        if self.wrong == WRONG_CODES_MAX:
            self.verdict = "denied"
        return 0

    def on_cancel(self, _):
        self.verdict = "cancelled"
        return 0

    def on_void(self, _):
        self.verdict = "denied"
        return 0

    def on_tick(self, _):
        return 0

    def on_recheck(self, person):
        if person.uid not in self.approved:
            return -ENOENT
        if self.may_vote(person):
            self.approved[person.uid] = membership(self.rule, person)
        else:  # attack B12
            del self.approved[person.uid]
        return 0

    def on_escalate(self, _):
        if self.escalated or not self.rule.escalate_to:
            return -ENOENT
        self.escalated = True
        return 0
