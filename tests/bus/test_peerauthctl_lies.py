# SPDX-License-Identifier: LGPL-2.1-or-later
"""peerauthctl against an answer that no broker of ours gives: it believes only what fits its question."""

import threading

import pytest
from jeepney import HeaderFields, new_method_return

import peerauth_bus as bus
from peerauth_ctl import ERROR, OK, REFUSED, Ctl

ID, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
CODE = "482913"
REQUEST = {
    "id": ("s", ID), "user": ("s", "alice"), "service": ("s", "sshd"), "rhost": ("s", "192.0.2.7"), "tty": ("s", "ssh"),
    "reason": ("s", "deploy"), "code-mode": ("s", "compare"), "state": ("s", "pending"), "note-mode": ("s", "optional"),
    "can-decide": ("b", True), "verified": ("b", True), "needed": ("u", 1), "missing": ("u", 1),
}  # fmt: skip


class Liar(threading.Thread):
    """Has the broker's name, and answers what the test wants."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listed, self.full, self.decision = REQUEST, REQUEST | {"code": ("s", CODE)}, ("denied", 0)
        self.heard, self.over = [], False
        self.client = bus.Client(path, "peerauth")
        assert self.client.bus("RequestName", "su", bus.NAME, 4) == (1,)
        self.start()

    def answer(self, call):
        member = call.header.fields[HeaderFields.member]
        self.heard.append((member, *call.body))
        signature, body = {
            "GetStatistics": ("a{sv}", ({"roles": ("as", ["administrator"])},)),
            "ListRequests": ("aa{sv}u", ([self.listed], 1)),
            "GetRequest": ("a{sv}", (self.full,)),
            "Approve": ("su", self.decision),
            "Deny": ("su", self.decision),
        }[member]
        return new_method_return(call, signature, body)

    def run(self):
        while not self.over:
            try:
                self.client.receive(0.05)
            except (OSError, ConnectionError):
                return
            calls, self.client.others = self.client.others, []
            for call in calls:
                self.client.send_message(self.answer(call))

    def decided(self):
        return [words[:2] for words in self.heard if words[0] in ("Approve", "Deny")]


@pytest.fixture
def liar(host):
    liar = Liar(host.socket)
    yield liar
    liar.over = True
    liar.join()
    liar.client.leave()


@pytest.fixture
def ctl(host, liar):
    return Ctl(host)


def test_the_stand_in_is_believed_when_it_says_what_a_broker_would(liar, ctl):
    assert "Denied" in ctl.works("deny", "alice")
    liar.decision = ("approved", 0)
    assert "approved: " in ctl.works("approve", "--all", "--yes", who="erin")
    assert liar.decided() == [("Deny", ID), ("Approve", ID)]


# ---- the answer is about another request ----


def test_another_request_than_was_asked_for(liar, ctl):
    liar.full = liar.full | {"id": ("s", OTHER)}
    for words in (("show", "alice"), ("approve", "alice", "--yes"), ("deny", "alice")):
        assert "wrong form" in ctl.fails(ERROR, *words)
    result = ctl.run("approve", "--all", "--yes", who="erin")
    assert result.returncode == ERROR and "wrong form" in result.stderr
    assert liar.decided() == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"user": ("s", "root")}, "not the request that was shown"),
        ({"service": ("s", "sudo")}, "not the request that was shown"),
        ({"rhost": ("s", "203.0.113.9")}, "not the request that was shown"),
        ({"tty": ("s", "tty1")}, "not the request that was shown"),
        ({"reason": ("s", "because")}, "not the request that was shown"),
        ({"verified": ("b", False)}, "not the request that was shown"),
        ({"self": ("b", True)}, "it is your own login"),
        ({"can-decide": ("b", False), "why-not": ("s", "you left")}, "you left"),
        ({"code-mode": ("s", "enter")}, "wants the code to be typed"),
        ({"note-mode": ("s", "required")}, "requires a note"),
        ({"code": ("s", "")}, "does not say its code"),
    ],
)
def test_bulk_looks_again_before_it_approves(liar, ctl, changed, why):
    liar.full, liar.decision = liar.full | changed, ("approved", 0)
    result = ctl.run("approve", "--all", "--yes", "--user=alice", who="erin")
    assert result.returncode == ERROR and f"failed: request {ID[:8]} of 'alice': " in result.stderr, result
    assert why in result.stderr and CODE not in result.stdout + result.stderr
    assert liar.decided() == []


# ---- the decision is another one ----


@pytest.mark.parametrize("word", ["approved", "expired", "cancelled", "exempt"])
def test_a_denial_that_came_out_otherwise_is_no_success(liar, ctl, word):
    liar.decision = (word, 0)
    assert f"is now {word}, not denied" in ctl.fails(REFUSED, "deny", "alice")
    result = ctl.run("deny", "--all", "--yes", who="erin")
    assert result.returncode == ERROR and "it ended otherwise meanwhile" in result.stderr, result


@pytest.mark.parametrize("word", ["expired", "cancelled", "denied", "exempt"])
def test_an_approval_that_came_out_otherwise_is_no_success(liar, ctl, word):
    liar.decision = (word, 0)
    result = ctl.run("approve", "alice", "--yes")
    assert result.returncode == REFUSED and f"is now {word}, not approved" in result.stderr, result
    result = ctl.run("approve", "--all", "--yes", who="erin")
    assert result.returncode == ERROR and "it ended otherwise meanwhile" in result.stderr, result


@pytest.mark.parametrize("word", ["", "Denied", "denied ", "done", "\x1b[2J"])
def test_words_that_nobody_knows_are_no_decision(liar, ctl, word):
    liar.decision = (word, 0)
    assert "wrong form" in ctl.fails(ERROR, "deny", "alice")
    for verb in ("approve", "deny"):
        result = ctl.run(verb, "--all", "--yes", who="erin")
        assert result.returncode == ERROR and "wrong form" in result.stderr, result


def test_votes_that_are_recorded(liar, ctl):
    liar.decision = ("pending", 1)
    assert "still waits for others" in ctl.works("deny", "alice")
    assert "1 more needed" in ctl.works("approve", "alice", "--yes")
    liar.decision = ("pending", 0)
    told = ctl.works("approve", "alice", "--yes")
    assert "one more approval" in told and "0 more" not in told
    assert ctl.run("deny", "--all", "--yes", who="erin").returncode == OK
