# SPDX-License-Identifier: LGPL-2.1-or-later
"""Account names and other items of PAM that are not what they seem (attacks A6, A7, B18)."""

import statistics
import time

import pytest
from peerauth_bus import ERROR, BusError

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED, PAM_SUCCESS, pending, recorded


@pytest.mark.parametrize(
    "name",
    ["", "a" * 257, "root\n", "root\x1b[2J", "ro\u202eot", "root\u200b", b"root\xff", "root\x7f", "root\r"],
    ids="empty long newline escape bidi invisible not-utf-8 delete return".split(),
)
def test_name_that_is_not_plain_text_is_refused(host, peer, name):
    """Never shortened or rewritten: the result could be the name of somebody else."""
    owner = peer("pending", "approved")
    option = b"--user=" + (name if isinstance(name, bytes) else name.encode())
    attempt = host.start(option)
    assert attempt.result() == PAM_PERM_DENIED
    assert not any(text.startswith("Code") for text in attempt.texts())
    assert support.calls(owner) == []


@pytest.mark.parametrize("name", ["a" * 256, "DOMAIN\\alice", "Jürgen", "alice@example.org", "x" * 33])
def test_name_goes_out_as_it_is(host, broker, name):
    attempt = host.start(f"--user={name}", service="short")
    attempt.code()
    assert recorded(broker, "request-created")["user"] == name


@pytest.mark.parametrize("name", ["ROOT", "root ", " root", "root.", "root/x", "Alice"])
def test_name_that_is_nobody(host, broker, name):
    """It is no account and has no uid: nobody is asked to approve it, and it is not root's."""
    attempt = host.start(f"--user={name}")
    attempt.code()
    entry = recorded(broker, "request-created")
    assert (entry["user"], entry["uid"]) == (name, 2**32 - 1)
    assert broker.client("bob").requests() == ([], 0)


def test_unknown_account_costs_the_same_time(host, broker):
    """Medians of the time to the code, in turns; the difference is small beside a login's own jitter."""

    def once(name):
        attempt = host.start(f"--user={name}")
        attempt.code()
        seconds = time.monotonic() - attempt.started
        attempt.process.kill()
        attempt.process.wait()
        return seconds

    times = {"root": [], "nobody-has-this-name": []}
    for _ in range(15):
        for name, values in times.items():
            values.append(once(name))
    known, unknown = (statistics.median(values) for values in times.values())
    assert abs(known - unknown) < 0.02, times


def test_name_changed_during_the_conversation(host, peer):
    """Somebody else would be logged in than the one who was approved (attack A6)."""
    peer("pending", "approved")
    attempt = host.start("--rename=alice")
    assert attempt.result() == PAM_PERM_DENIED
    assert "was changed" in attempt.log


def test_name_changed_when_the_decision_is_shown(host, peer):
    """The last moment at which the program around the module acts before the answer."""
    peer("pending", "approved")
    assert host.run("--rename=alice", "--rename-from=1") == PAM_PERM_DENIED


def test_name_changed_to_nothing(host, peer):
    peer("pending", "approved")
    assert host.run("--rename=") == PAM_PERM_DENIED


def test_name_set_again_to_the_same(host, peer):
    peer("pending", "approved")
    assert host.run("--rename=root") == PAM_SUCCESS


def test_name_changed_for_an_exempt_login(host, peer):
    """The exemption was another account's."""
    peer("late=0.2,exempt", "approved")
    attempt = host.direct("--rename=alice")
    assert attempt.result() == support.PAM_IGNORE  # nothing was said, so nothing was changed


def test_items_from_outside_are_harmless(host, broker):
    hostile = "\x1b]0;x\x07\u202e<b>&\n" + "y" * 1000
    host.start(f"--tty={hostile}", f"--rhost={hostile}", f"--ruser={hostile}").code()
    request = pending(broker.client("bob"))
    for key, size in (("tty", 64), ("rhost", 256), ("ruser", 256)):
        value = request[key]
        assert "\x1b" not in value and "\n" not in value and "\u202e" not in value
        assert 0 < len(value.encode()) <= size


def test_unprivileged_program_states_no_origin(host, broker):
    """A screen locker runs as its user, whose word on a remote host does not count (attack B14)."""
    attempt = host.start("--user=alice", "--rhost=192.0.2.1", "--ruser=alice", "--tty=:0", as_user="alice")
    attempt.code()
    request = pending(broker.client("bob"))
    assert (request["rhost"], request["ruser"], request["tty"]) == ("", "", ":0")
    assert request["verified"] is False


def test_unprivileged_program_asks_for_somebody_else(host, broker):
    attempt = host.start("--user=root", as_user="alice")
    assert attempt.result() == PAM_PERM_DENIED


def test_service_name_that_is_not_plain(host, peer):
    """It selects the rule."""
    peer("pending", "approved")
    host.stack("auth required MODULE", service="other")
    assert host.direct(service="s" * 65).result() == PAM_PERM_DENIED
    assert host.direct(service="x\x1by").result() == PAM_PERM_DENIED
    assert host.direct(service="s" * 64).result() in (PAM_SUCCESS, PAM_AUTHINFO_UNAVAIL)


def test_alias_of_an_account(host, broker):
    """Another name with the same uid is the same person under one name: no vote for oneself by it."""
    attempt = host.start("--user=ally")
    code = attempt.code()
    entry = recorded(broker, "request-created")
    assert (entry["user"], entry["uid"]) == ("alice", 64101)
    with pytest.raises(BusError) as error:
        broker.client("alice").approve(entry["request"], code=code)
    assert error.value.name == ERROR + "SelfReview"
