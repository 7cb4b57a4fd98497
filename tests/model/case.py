# SPDX-License-Identifier: LGPL-2.1-or-later
"""One case: the commands for the driver, and beside each the line that the model expects."""
import errno

import model

DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()


def part_text(part, bare):
    """bare: leave out a number that is 1."""
    kind = part.kind if isinstance(part.kind, str) else "{" + " ".join(part.kind) + "}"
    return kind if bare and part.needed == 1 else f"{kind}:{part.needed}"


def expression_text(alternatives, bare=False):
    return " or ".join(" and ".join(part_text(part, bare) for part in parts) for parts in alternatives)


def clock(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


def span_text(span):
    days, hours = span
    words = [DAYS[day] for day in days or []]
    if days and len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1)):
        words = [f"{words[0]}-{words[-1]}"]
    if hours:
        words.append(f"{clock(hours[0])}-{clock(hours[1])}")
    return " ".join(words)


def duration_text(seconds):
    minutes, rest = divmod(seconds, 60)
    return " ".join(([f"{minutes}min"] if minutes else []) + ([f"{rest}s"] if rest else []))


def yes_no(value):
    return "yes" if value else "no"


# The key, the field of a rule, and how its value is written.
KEYS = (
    ("Service", "services", " ".join),
    ("User", "users", ", ".join),
    ("Group", "groups", " ".join),
    ("Tty", "ttys", " ".join),
    ("Location", "location", str),
    ("Address", "networks", " ".join),
    ("Time", "times", lambda spans: ", ".join(map(span_text, spans))),
    ("Action", "action", str),
    ("Reviewers", "reviewers", expression_text),
    ("EscalateTo", "escalate_to", lambda alternatives: expression_text(alternatives, bare=True)),
    ("EscalateAfter", "escalate_after", duration_text),
    ("Admins", "admins", str),
    ("DenyThreshold", "deny_threshold", str),
    ("SelfReview", "self_review", yes_no),
    ("Code", "code", str),
    ("Note", "note", str),
    ("Reason", "reason", str),
    ("WhenNobody", "when_nobody", str),
    ("Expires", "expires", duration_text),
    ("RemoteReviewers", "remote_reviewers", yes_no),
)


def rule_lines(rule):
    """The head, and a line for each key that is given."""
    given = [(key, getattr(rule, name), write) for key, name, write in KEYS]
    return [f"[Rule {rule.name}]"] + [
        f"{key}={write(value)}" for key, value, write in given if value is not None and value != []
    ]


def error_name(r):
    return str(r) if r >= 0 else errno.errorcode[-r]


def terms_text(rule):
    """What the rule asks for, with the defaults of the manual."""

    def text(name, written, default):
        mode, pattern = model.text_rule(written, default)
        return f"{name}={mode}" + (f":{pattern}" if pattern else "")

    escalate = 0
    if rule.escalate_to:
        escalate = rule.escalate_after or 60
    sizes = [model.missing(model.open_alternatives(rule, escalated), ()) for escalated in (False, True)]
    return (
        f" code={rule.code or 'enter'} deny={rule.deny_threshold or 1} self={int(bool(rule.self_review))}"
        f" remote={int(bool(rule.remote_reviewers))} {text('note', rule.note, 'optional')}"
        f" {text('reason', rule.reason, 'off')} nobody={rule.when_nobody or 'wait'}"
        f" expires={rule.expires or 300} escalate={escalate} size={sizes[0]}/{sizes[1]}"
    )


class Case:
    def __init__(self, name):
        self.commands, self.expected = [], []
        self.rules, self.rule, self.people, self.request = [], None, [], None
        self.add(f"case {name}", "case", name)

    def add(self, expected, *fields):
        self.commands.append("\t".join("~" if field is None else str(field) for field in fields))
        if expected is not None:
            self.expected.append(expected)

    def policy_text(self, expected, lines):
        self.add(expected, "policy", len(lines))
        self.commands += lines

    def policy(self, rules, shuffle=lambda lines: lines):
        """shuffle: puts the keys of a rule into another order, which must not matter."""
        self.rules = rules
        lines = []
        for rule in rules:
            head, *keys = rule_lines(rule)
            lines += [head, *shuffle(keys)]
        self.policy_text(f"rules {len(rules)}", lines)

    def refuse(self, rules):
        """For rules that contradict themselves; the line is that of the head or of any key."""
        self.policy_text("refused EINVAL", [line for rule in rules for line in rule_lines(rule)])

    def login(self, login):
        self.rule, answer = model.decide(self.rules, login)
        words = ["login", self.rule.name if self.rule else "-", answer]
        words += [model.fit(rule, login) for rule in self.rules]
        terms = terms_text(self.rule) if self.held() else ""
        self.add(
            " ".join(words) + terms, "login", login.service, login.user, "/".join(login.groups), login.tty,
            login.rhost, login.own_name, login.weekday, login.minute,
        )  # fmt: skip
        return answer

    def held(self):
        return self.rule is not None and self.rule.action in ("require", "monitor")

    def service(self, name):
        rule = model.decide_by_service(self.rules, name)
        self.add(f"service {rule.name if rule else '-'}", "service", name)

    def person(self, person):
        self.people.append(person)
        self.add(None, "person", person.uid, person.name, "/".join(person.groups), int(person.vouched))
        return len(self.people) - 1

    def note(self, text):
        mode = model.text_rule(self.rule.note, "optional")
        self.add(f"note {model.text_verdict(*mode, text)}", "note", text)

    def reason(self, text):
        mode = model.text_rule(self.rule.reason, "off")
        self.add(f"reason {model.text_verdict(*mode, text)}", "reason", text)

    def state(self):
        r = self.request
        return (
            f" {r.verdict} missing={r.missing()} approvals={len(r.approved)} denials={len(r.denied)}"
            f" escalated={int(r.escalated)}"
        )

    def start(self, requester, now, deadline):
        self.request = model.Request(self.rule, requester, now, deadline)
        self.add("request" + self.state(), "request", requester, now, deadline)

    def event(self, kind, now, number):
        r = self.request.apply(kind, now, self.people[number])
        self.add(f"{kind} {error_name(r)}" + self.state(), kind, now, number)
