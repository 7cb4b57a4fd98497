# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random policies, logins and histories. The same seed gives the same cases on every machine."""
import random

from case import Case
from model import NO_UID, Login, Part, Person, Rule

# Small pools, so that things meet; names that differ in case only, so that they must not.
USERS = {"alice": 1000, "bob": 1001, "carol": 1002, "dave": 1003, "erin": 1004, "Alice": 1005, "root": 0,
         "CORP\\eve": 2**31, "top": 2**32 - 2}  # fmt: skip
GROUPS = ("ops", "sec", "mgr", "Ops", "wheel", "m\u00fcller")
SERVICES = ("sshd", "login", "su", "sudo", "gdm-password", "SSHD", "common-auth")
TTYS = ("tty1", "tty12", "pts/3", "pts/30", ":0", "/dev/tty1", "/dev/pts/3", "TTY1", "", None)
TTY_PATTERNS = ("tty1", "tty*", "/dev/tty1", "/dev/pts/*", "pts/3", ":0", "*", ":*", "tty1*")
RHOSTS = (None, "", "desk", "desk.example", "host.example", "localhost", "10.1.2.3", "10.1.255.255", "192.0.2.1",
          "192.0.2.2", "::ffff:10.1.2.3", "::ffff:a01:203", "::FFFF:192.0.2.1", "2001:db8::5", "2001:DB8:0::5",
          "2001:db9::", "fe80::1%eth0", "::1", "127.0.0.1", "010.1.2.3", "10.1", "1.2.3.4.5", "[::1]",
          "255.255.255.255", "10.1.2.3 ", "0x7f.0.0.1", "::ffff:10.1.2.300")  # fmt: skip
NETWORKS = ("10.0.0.0/8", "10.1.2.0/24", "10.1.2.3", "10.1.2.3/32", "10.1.2.2/31", "192.0.2.0/31", "0.0.0.0/0",
            "::/0", "2001:db8::/32", "2001:db8::5/128", "fe80::/10", "::1", "127.0.0.0/8", "128.0.0.0/1",
            "255.255.255.255")  # fmt: skip
PATTERNS = ("INC[0-9]{4}", "[A-Z]+-[0-9]+", "foo|bar", "(a|ab)(c|bcd)?", "x*", ".+ .+", "[^x]+", "a{2,3}b?")
TEXTS = (None, "", " ", "INC1234", "INC12345", "xINC1234", "ABC-1", "foo", "foobar", "bar", "abcd", "abc", "xx",
         "two words", "aab", "INC1234 ", " x ", "FOO")  # fmt: skip
HOURS = (0, 1, 6 * 60, 8 * 60, 12 * 60, 12 * 60 + 1, 18 * 60, 22 * 60, 23 * 60 + 59, 24 * 60)
EVENTS = ("approve",) * 9 + ("deny",) * 2 + ("recheck",) * 2 + ("wrong", "tick", "escalate", "none")
ENDS = ("cancel", "void")


def some(r, pool, most=3):
    return r.sample(pool, r.randint(1, min(most, len(pool))))


def maybe(r, chance, make):
    return make() if r.random() < chance else None


def part(r):
    if r.random() < 0.25:
        names = some(r, sorted(USERS), 4)
        return Part(tuple(names), r.randint(1, len(names)))
    return Part(r.choice(GROUPS), r.choice((1, 1, 1, 2, 2, 3)))


def expression(r, most):
    return [[part(r) for _ in range(r.choice((1, 1, 2, 3)))] for _ in range(r.randint(1, most))]


def span(r):
    days = hours = None
    if r.random() < 0.7:
        days = sorted(some(r, range(7), 4))
        if r.random() < 0.4:
            first = r.randrange(6)
            days = list(range(first, r.randint(first + 1, 7)))
    if days is None or r.random() < 0.7:
        begin, end = r.sample(HOURS, 2)
        hours = (end, begin) if begin == 24 * 60 else (begin, end)
        if hours == (0, 0) or hours[1] == 0:
            hours = (hours[0], 24 * 60)
    return days, hours


def match_keys(r):
    return {
        "services": maybe(r, 0.35, lambda: some(r, SERVICES, 4)),
        "users": maybe(r, 0.25, lambda: some(r, sorted(USERS), 5)),
        "groups": maybe(r, 0.25, lambda: some(r, GROUPS)),
        "ttys": maybe(r, 0.15, lambda: some(r, TTY_PATTERNS)),
        "location": maybe(r, 0.15, lambda: r.choice(("local", "remote"))),
        "networks": maybe(r, 0.25, lambda: some(r, NETWORKS, 4)),
        "times": maybe(r, 0.2, lambda: [span(r) for _ in range(r.randint(1, 3))]),
    }


def text_key(r):
    return r.choice(("off", "optional", "required", "match:" + r.choice(PATTERNS)))


def held_keys(r):
    keys = {
        "admins": maybe(r, 0.4, lambda: r.choice(GROUPS)),
        "code": maybe(r, 0.4, lambda: r.choice(("enter", "compare"))),
        "note": maybe(r, 0.4, lambda: text_key(r)),
        "reason": maybe(r, 0.4, lambda: text_key(r)),
        "when_nobody": maybe(r, 0.3, lambda: r.choice(("wait", "deny", "recovery-only", "allow-and-record"))),
        "expires": maybe(r, 0.4, lambda: r.choice((61, 90, 120, 599, 600))),
    }
    if keys["admins"] is None or r.random() < 0.85:
        keys["reviewers"] = expression(r, 3)
        keys["deny_threshold"] = maybe(r, 0.4, lambda: r.choice((1, 2, 2, 3, 32)))
    keys["self_review"] = maybe(r, 0.5, lambda: r.random() < 0.7)
    keys["remote_reviewers"] = maybe(r, 0.3, lambda: r.random() < 0.5)
    if r.random() < 0.4:
        keys["escalate_to"] = expression(r, 2)
        keys["escalate_after"] = maybe(r, 0.5, lambda: r.choice((10, 59, 60)))
    return keys


def rule(r, name):
    action = r.choice(("require",) * 6 + ("monitor",) * 2 + ("exempt", "deny"))
    keys = match_keys(r)
    if action in ("require", "monitor"):
        keys |= held_keys(r)
    return Rule(name=name, action=action, **keys)


def policy(r):
    rules = [rule(r, f"r{i}") for i in range(r.choice((1, 1, 2, 3, 4, 6)))]
    if r.random() < 0.6:  # or too many logins would meet no rule
        last = rules[-1]
        last.services = last.users = last.groups = last.ttys = last.location = last.networks = last.times = None
    return rules


def login(r):
    return Login(
        service=r.choice(SERVICES),
        user=r.choice(sorted(USERS) + ["ghost", "alic", "alice2"]),
        groups=r.sample(GROUPS, r.randrange(4)),
        tty=r.choice(TTYS),
        rhost=r.choice(RHOSTS),
        own_name=r.choice(("desk", "desk", None)),
        weekday=r.randrange(7),
        minute=r.choice((r.randrange(1440), max(0, r.choice(HOURS) - r.randint(0, 1)) % 1440)),
    )


def people(r, who):
    """Others, the requester, and the same accounts with what they became meanwhile."""
    crowd = []
    for name in r.sample(sorted(USERS), r.randint(2, 6)) + [who.user]:
        uid = USERS.get(name, NO_UID)
        crowd.append(Person(uid, name, r.sample(GROUPS, r.randrange(4)), r.random() < 0.5))
    for person in r.sample(crowd, min(2, len(crowd))):
        crowd.append(Person(person.uid, person.name, r.sample(GROUPS, r.randrange(3)), r.random() < 0.5))
    return crowd


def history(r, case, requester):
    now = r.choice((0, 5000, 2**40))
    deadline = now + r.choice((1000,) * 12 + (1, 0))
    case.start(requester, now, deadline)
    for _ in range(r.randint(3, 12)):
        now = deadline + r.randint(-1, 1) if r.random() < 0.02 and deadline else now + r.randint(0, 30)
        kind = r.choice(ENDS) if r.random() < 0.015 else r.choice(EVENTS)
        case.event(kind, max(now, 0), r.randrange(len(case.people)))


def make(r, name):
    case = Case(name)

    def shuffled(lines):
        return r.sample(lines, len(lines))

    case.policy(policy(r), shuffled)
    case.service(r.choice(SERVICES))
    who = login(r)
    case.login(who)
    if not case.held():
        return case
    for person in people(r, who):
        case.person(person)
    if r.random() < 0.3:
        case.note(r.choice(TEXTS))
        case.reason(r.choice(TEXTS))
    history(r, case, USERS.get(who.user, NO_UID))
    return case


def cases(seed, first, count):
    for i in range(first, first + count):
        yield make(random.Random(f"{seed}/{i}"), f"random-{seed}-{i}")
