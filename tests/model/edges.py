# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits that chance does not meet: the last value that is accepted, the first that is refused, and where."""
from case import Case, rule_lines
from model import Login, Part, Person, Rule

WHO = Login("sshd", "me", ["staff"], "pts/1", "192.0.2.1", "desk", 0, 600)


def parts(*sizes):
    """Alternatives with so many parts each."""
    return [[Part(f"g{i}_{j}") for j in range(size)] for i, size in enumerate(sizes)]


# Rules that are just inside a limit.
ACCEPTED = (
    {"reviewers": parts(*[1] * 8)},
    {"reviewers": parts(8, 8)},
    {"reviewers": parts(16)},
    {"reviewers": parts(8), "escalate_to": parts(4, 4)},
    {"reviewers": parts(1, 1, 1, 1), "escalate_to": parts(1, 1, 1, 1)},
    {"reviewers": [[Part("a", 32)]]},
    {"reviewers": [[Part("a", 31), Part("b")], [Part("a", 16), Part("b", 16)]]},
    {"reviewers": [[Part("a", 32)]], "escalate_to": [[Part("a", 32)]]},
    {"reviewers": [[Part(("a", "b", "c"), 3)]]},
    {"reviewers": [[Part("andy"), Part("orla")], [Part("sand")]]},
    {"admins": "a", "expires": 10},
    {"admins": "a", "expires": 600},
    {"reviewers": parts(1), "escalate_to": parts(1), "expires": 61},
    {"reviewers": parts(1), "escalate_to": parts(1), "expires": 61, "escalate_after": 60},
    {"reviewers": parts(1), "escalate_to": parts(1), "expires": 11, "escalate_after": 10},
    {"admins": "a", "escalate_to": parts(2)},
    {"reviewers": parts(1), "deny_threshold": 32},
    {"reviewers": parts(1), "note": "match:" + "x" * 200},
    {"reviewers": parts(1), "reason": "match:" + "[ab]" * 50},
    {"reviewers": parts(1), "times": [(None, (0, 24 * 60))]},
    {"reviewers": parts(1), "times": [([6], (23 * 60 + 59, 0 + 1))]},
    {"reviewers": parts(1), "networks": ["192.0.2.1/32", "::/0"]},
    {"reviewers": parts(1), "ttys": ["*"]},
)

BASE = {"Action": "require", "Reviewers": "ops"}

# Keys put over BASE, and the one whose line must be named (None: any).
REFUSED = (
    ({"Address": "host.example"}, "Address"),
    ({"Address": "10.0.0.0/33"}, "Address"),
    ({"Address": "2001:db8::/129"}, "Address"),
    ({"Address": "10.0.0.1/8"}, "Address"),
    ({"Address": "10.0.0.0/"}, "Address"),
    ({"Address": "10.0.0.0/-1"}, "Address"),
    ({"Address": "10.0.0.0/+8"}, "Address"),
    ({"Address": "10.0.0"}, "Address"),
    ({"Address": "10.0.0.0/8/8"}, "Address"),
    ({"Address": "010.0.0.0/8"}, "Address"),
    ({"Address": "fe80::1%eth0"}, "Address"),
    ({"Address": "10.0.0.0/8 lab"}, "Address"),
    ({"Address": ","}, "Address"),
    ({"Location": "lan"}, "Location"),
    ({"Location": "Local"}, "Location"),
    ({"Time": "08:00-08:00"}, "Time"),
    ({"Time": "Mon 24:00-06:00"}, "Time"),
    ({"Time": "08:00-24:01"}, "Time"),
    ({"Time": "08:60-09:00"}, "Time"),
    ({"Time": "25:00-26:00"}, "Time"),
    ({"Time": "08:00"}, "Time"),
    ({"Time": "08:00-"}, "Time"),
    ({"Time": "-08:00"}, "Time"),
    ({"Time": "Monday-"}, "Time"),
    ({"Time": "Mo"}, "Time"),
    ({"Time": "Mon-"}, "Time"),
    ({"Time": "Mon-Xyz 08:00-09:00"}, "Time"),
    ({"Time": "08:00-09:00 Mon"}, "Time"),
    ({"Time": "08:00-09:00 10:00-11:00"}, "Time"),
    ({"Time": ","}, "Time"),
    ({"Tty": ","}, "Tty"),
    ({"Tty": "tty*1"}, "Tty"),
    ({"Tty": "/dev/"}, "Tty"),
    ({"Action": "maybe"}, "Action"),
    ({"Action": "Require"}, "Action"),
    ({"Reviewers": "{a b}:3"}, "Reviewers"),
    ({"Reviewers": "{}"}, "Reviewers"),
    ({"Reviewers": "{ }:1"}, "Reviewers"),
    ({"Reviewers": "{a"}, "Reviewers"),
    ({"Reviewers": "a}"}, "Reviewers"),
    ({"Reviewers": "{a {b}}"}, "Reviewers"),
    ({"Reviewers": "ops:0"}, "Reviewers"),
    ({"Reviewers": "ops:33"}, "Reviewers"),
    ({"Reviewers": "ops:-1"}, "Reviewers"),
    ({"Reviewers": "ops:"}, "Reviewers"),
    ({"Reviewers": "ops:4294967297"}, "Reviewers"),
    ({"Reviewers": "ops:1:1"}, "Reviewers"),
    ({"Reviewers": ":1"}, "Reviewers"),
    ({"Reviewers": "ops and"}, "Reviewers"),
    ({"Reviewers": "or ops"}, "Reviewers"),
    ({"Reviewers": "ops or or sec"}, "Reviewers"),
    ({"Reviewers": "ops and or sec"}, "Reviewers"),
    ({"Reviewers": "ops sec"}, "Reviewers"),
    ({"Reviewers": "and"}, "Reviewers"),
    ({"Reviewers": "or:1"}, "Reviewers"),
    ({"Reviewers": "and:2 or sec"}, "Reviewers"),
    ({"Reviewers": "{or x}"}, "Reviewers"),
    ({"Reviewers": "{and}"}, "Reviewers"),
    ({"Reviewers": " or ".join(f"g{i}" for i in range(9))}, "Reviewers"),
    ({"Reviewers": " and ".join(f"g{i}" for i in range(17))}, "Reviewers"),
    ({"Reviewers": "a:32 and b:1"}, "Reviewers"),
    ({"Reviewers": "x or a:16 and b:17"}, "Reviewers"),
    ({"Reviewers": " or ".join(f"g{i}" for i in range(5)), "EscalateTo": "a or b or c or d"}, None),
    ({"Reviewers": " and ".join(f"g{i}" for i in range(9)), "EscalateTo": " and ".join("abcdefgh")}, None),
    ({"EscalateTo": "sec:32 and mgr"}, "EscalateTo"),
    ({"EscalateTo": "and"}, "EscalateTo"),
    ({"EscalateAfter": "1min"}, None),
    ({"EscalateTo": "sec", "EscalateAfter": "9s"}, "EscalateAfter"),
    ({"EscalateTo": "sec", "EscalateAfter": "5min"}, None),
    ({"EscalateTo": "sec", "EscalateAfter": "90s", "Expires": "90s"}, None),
    ({"EscalateTo": "sec", "EscalateAfter": "91s", "Expires": "90s"}, None),
    ({"EscalateTo": "sec", "Expires": "1min"}, None),
    ({"EscalateTo": "sec", "Expires": "10s"}, None),
    ({"DenyThreshold": "0"}, "DenyThreshold"),
    ({"DenyThreshold": "33"}, "DenyThreshold"),
    ({"DenyThreshold": "two"}, "DenyThreshold"),
    ({"DenyThreshold": "-1"}, "DenyThreshold"),
    ({"DenyThreshold": "1 2"}, "DenyThreshold"),
    ({"Reviewers": None, "Admins": "a", "DenyThreshold": "2"}, None),
    ({"Reviewers": None, "Admins": "a", "EscalateTo": "b", "DenyThreshold": "2"}, None),
    ({"Reviewers": None}, None),
    ({"Reviewers": None, "EscalateTo": "b"}, None),
    ({"Action": "monitor", "Reviewers": None}, None),
    ({"SelfReview": "maybe"}, "SelfReview"),
    ({"SelfReview": "Yes"}, "SelfReview"),
    ({"RemoteReviewers": "1"}, "RemoteReviewers"),
    ({"Admins": "a b"}, "Admins"),
    ({"Code": "guess"}, "Code"),
    ({"Note": "sometimes"}, "Note"),
    ({"Note": "match:"}, "Note"),
    ({"Note": "match:("}, "Note"),
    ({"Note": "match:[a"}, "Note"),
    ({"Note": "match:*{"}, "Note"),
    ({"Note": "match:(a)\\1"}, "Note"),
    ({"Note": "match:" + "x" * 201}, "Note"),
    ({"Reason": "match"}, "Reason"),
    ({"Reason": "match:a)b("}, "Reason"),
    ({"Reason": "match:(a|b)\\1"}, "Reason"),
    ({"Reason": "required:x"}, "Reason"),
    ({"WhenNobody": "allow"}, "WhenNobody"),
    ({"WhenNobody": "exempt"}, "WhenNobody"),
    ({"Expires": "9s"}, "Expires"),
    ({"Expires": "10min 1s"}, "Expires"),
    ({"Expires": "11min"}, "Expires"),
    ({"Reviewer": "ops"}, "Reviewer"),
    ({"action": "deny"}, "action"),
    ({"Action": None}, None),
    ({"Service": ","}, "Service"),
)

# Keys that mean something for held logins only.
HELD_ONLY = {
    "Reviewers": "ops", "EscalateTo": "sec", "EscalateAfter": "1min", "Admins": "a", "DenyThreshold": "1",
    "SelfReview": "no", "Code": "enter", "Note": "off", "Reason": "off", "WhenNobody": "wait",
    "Expires": "1min", "RemoteReviewers": "no",
}  # fmt: skip


def refusal(name, keys, blamed):
    lines = [f"{key}={value}" for key, value in keys.items() if value is not None]
    case = Case(name)
    line = next((number for number, text in enumerate(lines, 4) if text.startswith(f"{blamed}=")), None)
    # A valid rule before it: nothing of a policy with one mistake is in force.
    case.policy_text(
        "refused EINVAL" + (f" {line} " if line else ""), ["[Rule good]", "Action=exempt", "[Rule bad]", *lines]
    )
    return case


def acceptance(name, keys):
    case = Case(name)
    case.policy([Rule("r", "require", **keys)])
    case.login(WHO)
    if not case.held():
        return case
    chairs = case.rule.parts()
    crowd = [Person(2000 + i, f"p{i}", [part.kind]) for i, part in enumerate(chairs) if isinstance(part.kind, str)]
    crowd += [Person(3000 + i, name, ["a", "b"]) for i, name in enumerate("abcdefghijklmnopqrstuvwxyzABCDEF")]
    case.start(1000, 0, 100)
    for person in crowd:
        case.event("approve", 1, case.person(person))
    case.event("escalate", 2, 0)
    for number in range(len(crowd)):
        case.event("deny", 3, number)
    return case


def cases():
    for number, keys in enumerate(ACCEPTED):
        yield acceptance(f"accepted-{number}", keys)
    for number, (keys, blamed) in enumerate(REFUSED):
        yield refusal(f"refused-{number}", BASE | keys, blamed)
    for action in ("exempt", "deny"):
        for key, value in HELD_ONLY.items():
            yield refusal(f"held-only-{action}-{key}", {"Action": action, key: value}, None)
    for number, key in enumerate(BASE | {"Time": "Mon", "Note": "off"}):
        rule = Rule("bad", "require", reviewers=[[Part("ops")]], times=[([0], None)], note="off")
        keys = dict(line.split("=", 1) for line in rule_lines(rule)[1:])
        case = Case(f"doubled-{number}")
        lines = [f"{k}={v}" for k, v in [*keys.items(), (key, keys[key])]]
        case.policy_text("refused EINVAL 6 ", ["[Rule bad]", *lines])
        yield case
