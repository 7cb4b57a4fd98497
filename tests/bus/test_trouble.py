# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is around the broker fails: disk, logind, name service, clock, bus. Logins are denied, nothing is lost."""

import os
import subprocess
import time

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError, until


def refused(call, *args, **kwargs):
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value


@pytest.fixture
def disk(host):
    """A small file system for the state; the function returned fills it or, with False, makes room again."""
    state, filler = host.folder / "state", host.folder / "state/filler"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700,uid=64100,gid=64100", "tmpfs", state], check=True)

    def fill(full=True):
        if not full:
            filler.unlink()
            return
        with open(filler, "wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    yield fill
    for broker in host.brokers:
        broker.stop()
    subprocess.run(["umount", "--lazy", state], check=True)


def test_a_full_disk_denies_and_room_ends_it(host, disk):
    """Attack L5, on a file system that is really full."""
    host.start_broker()
    before = host.login(service="two")
    waiting = host.login("mallory", service="two")
    host.client("bob").approve(waiting)
    disk()
    error = refused(host.client("bob").approve, before)
    assert error.name == ERROR + "LedgerUnavailable" and "No space left" in error.text
    assert refused(before.verdict).name == ERROR + "LedgerUnavailable"
    assert refused(host.login, "frank").name == ERROR + "LedgerUnavailable"
    assert refused(host.login, service="forbidden").name == ERROR + "LedgerUnavailable"
    assert host.login(service="exempt").outcome == "exempt"
    waiting.client.leave()
    assert host.broker.running()
    disk(False)
    # Without a restart; and nothing of what failed has got in.
    login = host.login("frank")
    assert login.outcome == "pending"
    assert host.client("bob").approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"
    assert before.kinds() == ["request-created"]
    kinds = [entry["kind"] for entry in host.entries()]
    assert kinds.count("decision") == 1 and kinds.count("refused") == 0
    assert [e["index"] for e in host.entries()] == list(range(len(kinds)))
    host.broker.stop()
    host.start_broker(name="again")
    assert host.login("frank").outcome == "pending"


def test_the_status_says_what_is_wrong_with_a_full_disk(host, disk):
    disk()
    host.start_broker()
    assert refused(host.login).name == ERROR + "LedgerUnavailable"
    message = host.control.statistics()["ledger-message"]
    assert "No space left" in message and "free some space" in message and str(host.folder / "state") in message
    assert host.login(service="exempt").outcome == "exempt"
    disk(False)
    until(lambda: succeeds(host.control), 8, "the recovery without a restart")
    assert host.control.statistics()["ledger-message"] == ""


def succeeds(client):
    """Whether a login can be held; if not, then for want of a ledger."""
    time.sleep(0.1)
    try:
        return client.create("alice", "one")[0] == "pending"
    except BusError as error:
        assert error.name == ERROR + "LedgerUnavailable"
        return False


@pytest.mark.parametrize("existing", [False, True])
def test_a_state_folder_that_cannot_be_written(host, disk, existing):
    if existing:
        host.start_broker()
        assert host.login().outcome == "pending"
        host.broker.stop()
    subprocess.run(["mount", "-o", "remount,ro", host.folder / "state"], check=True)
    host.start_broker(name="readonly")
    error = refused(host.login)
    assert error.name == ERROR + "LedgerUnavailable" and "peerauthctl status" in error.text
    message = host.control.statistics()["ledger-message"]
    assert "Read-only file system" in message and "make its file system" in message
    for member in ("GetCheckpoint", "OpenSnapshot"):
        assert refused(host.control.call, bus.AUDITOR, member).name == ERROR + "LedgerUnavailable"
    assert host.login(service="exempt").outcome == "exempt"
    subprocess.run(["mount", "-o", "remount,rw", host.folder / "state"], check=True)


@pytest.mark.parametrize(("mode", "owner"), [(0o755, 64100), (0o700, 0), (0o770, 64100)])
def test_a_state_folder_of_others(host, mode, owner):
    state = host.folder / "state"
    state.mkdir()
    os.chown(state, owner, owner)
    state.chmod(mode)
    host.start_broker()
    assert refused(host.login).name == ERROR + "LedgerUnavailable"
    assert host.control.statistics()["ledger-message"].startswith(str(state))
    assert list(state.iterdir()) == []


def test_a_second_broker_on_the_same_bus_ends(system):
    """Attack L7."""
    login = system.login()
    second = bus.Broker(system, name="second", state=system.folder / "other")
    assert second.process.wait(10) == 1
    assert "another broker is running" in second.output()
    second.log.close()
    assert system.client("bob").approve(login) == ("approved", 0)


def test_a_second_broker_on_the_same_ledger_serves_nobody(system):
    """Attack L7, from another bus."""
    first, path = system.broker, str(system.folder / "bus2")
    system.start_bus(path)
    second = bus.Broker(system, name="second", state=first.state, socket_path=path)
    system.brokers.append(second)
    root = bus.Client(path, "root")
    try:
        until(lambda: root.bus("NameHasOwner", "s", bus.NAME)[0], what="the second broker")
        assert refused(root.create, "alice", "one").name == ERROR + "LedgerUnavailable"
        assert "another broker has this ledger open" in root.statistics()["ledger-message"]
        assert system.login().outcome == "pending"
        first.stop()
        until(lambda: succeeds(root), 8, "the second broker's turn")
    finally:
        root.leave()


def test_a_logind_that_never_answers(system):
    """No vote counts while nobody knows who is logged in, and nobody else is held up."""
    login, bob = system.login(), system.client("bob")
    system.logind.hangs = True
    start = time.monotonic()
    vote = bob.send_approve(login)
    assert system.login(service="exempt").outcome == "exempt"
    assert system.control.statistics()["pending"] == 1
    assert time.monotonic() - start < 0.5
    with pytest.raises(BusError) as error:
        bob.reply(vote)
    assert error.value.name == bus.ACCESS_DENIED and "logind" in error.value.text
    assert 1.5 < time.monotonic() - start < 3
    # Whoever logs in is held all the same, and sees that nobody is known to be there.
    held = system.login("mallory")
    assert held.info["reachable"] == 0 and login.verdict(0.1) is None
    system.logind.hangs = False
    assert bob.approve(login) == ("approved", 0)


def test_no_logind_at_all(system):
    login = system.login()
    system.logind.stop()
    assert refused(system.client("bob").approve, login).name == bus.ACCESS_DENIED
    assert system.login("mallory").info["reachable"] == 0
    assert login.verdict(0.1) is None
    system.start_logind()


def test_a_name_service_that_hangs_for_one_account(host):
    """Attack B17."""
    shim = bus.Shim(host.folder)
    host.start_broker(shim=shim)
    shim.set(name_service_hangs=1)
    root, bob = host.client("root"), host.client("bob")
    request = {"user": ("s", "slow"), "service": ("s", "one")}
    slow = root.send(bus.REQUESTER, "CreateRequest", "a{sv}", request)
    start = time.monotonic()
    for _ in range(5):
        login = host.login()
        assert bob.approve(login) == ("approved", 0)
        assert login.verdict()[0] == "approved"
        login.client.leave()
    assert time.monotonic() - start < 2
    assert root.message(slow, 0.1) is None
    shim.set(name_service_hangs=0)
    assert root.reply(slow)[0] == "pending"


def test_a_broker_whose_look_up_hangs_ends_in_time(host):
    shim = bus.Shim(host.folder)
    host.start_broker(shim=shim)
    shim.set(name_service_hangs=1)
    login, root = host.login(), host.client("root")
    slow = root.send(bus.REQUESTER, "CreateRequest", "a{sv}", {"user": ("s", "slow"), "service": ("s", "one")})
    for client in (login.client, root):  # so that the broker has read what came before
        client.statistics()
    start = time.monotonic()
    assert host.broker.stop() == 0
    assert time.monotonic() - start < 3
    with pytest.raises(BusError) as error:
        login.verdict()
    assert error.value.name == bus.DBUS + ".Error.Failed"
    with pytest.raises(BusError) as error:
        root.reply(slow)
    assert error.value.name == bus.ACCESS_DENIED
    shim.set(name_service_hangs=0)


@pytest.mark.parametrize("years", [10, -10])
def test_the_wall_clock_jumps(host, years):
    """Attack T1: the deadline stays where it was, forwards and backwards; the ledger shows the new time."""
    shim = bus.Shim(host.folder)
    host.start_broker(shim=shim)
    login, short = host.login(), host.login("mallory", time_left=1_500_000)
    shim.set(realtime_shift=years * 365 * 86400)
    assert login.verdict(0.3) is None
    assert host.client("bob").get(login)["deadline"] / 1e6 == pytest.approx(login.deadline)
    assert short.verdict(4)[0] == "expired"
    assert 0 <= bus.boottime() - short.deadline < 0.5
    assert host.client("bob").approve(login) == ("approved", 0)
    assert login.verdict()[0] == "approved"
    created, vote, decision = login.entries()
    assert abs((vote["time"] - created["time"]) / 1e6 - years * 365 * 86400) < 10
    assert created["index"] < vote["index"] < decision["index"]


def test_the_bus_ends(host):
    """The broker ends, with an error, so that systemd starts it again."""
    host.start_broker()
    host.login()
    host.buses[0].kill()
    host.buses[0].wait()
    assert host.broker.process.wait(10) == 1
    os.unlink(host.socket)
    host.logind.stop()
    host.start_bus(host.socket)
    host.control = host.client("root")
    host.start_logind()
    host.start_broker(name="again")

    def kinds():
        return [entry["kind"] for entry in host.entries()]

    until(lambda: kinds()[-1] == "broker-started", what="the entry of the new start")
    assert kinds()[:2] == ["broker-started", "request-created"]
    assert set(kinds()[2:-1]) <= {"cancelled", "decision", "broker-stopped"}
