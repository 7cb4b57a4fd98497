# SPDX-License-Identifier: LGPL-2.1-or-later
"""What others can see, forge or guess on the bus, and where a code can be found."""

import os
import pathlib
import re
import resource
import signal
import subprocess
import types

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call, new_method_return, new_signal

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError

UNKNOWN = "0123456789abcdef0123456789abcdef"


def error_of(client, serial):
    message = client.message(serial)
    assert message.header.message_type is MessageType.error, message.body
    return message.header.fields[HeaderFields.error_name], message.body


def changes(client):
    """The RequestChanged signals that have arrived."""
    return [m for m in client.signals if m.header.fields[HeaderFields.member] == "RequestChanged"]


def forge(client, destination):
    """Signals in the broker's name, and replies that nobody asked this client for."""
    address = DBusAddress(bus.PATH, destination, bus.REVIEWER)
    for interface, member, signature, body in (
        (bus.REVIEWER, "RequestChanged", "ss", (UNKNOWN, "approved")),
        (bus.REQUESTER, "Decided", "sa{sv}", ("approved", {})),
        (bus.AUDITOR, "WaitDecision", "sa{sv}", ("approved", {})),
    ):
        signal_ = new_signal(DBusAddress(bus.PATH, destination, interface), member, signature, body)
        signal_.header.fields[HeaderFields.destination] = destination
        client.send_message(signal_)
    for serial in range(1, 12):
        reply = new_method_return(new_method_call(address, "WaitDecision"), "sa{sv}", ("approved", {}))
        reply.header.fields[HeaderFields.reply_serial] = serial
        reply.header.fields[HeaderFields.destination] = destination
        client.send_message(reply)


def test_forged_verdicts_and_signals_have_no_effect(system):
    """Attack B5, also by root and by somebody who holds the broker's interface names."""
    login, bob = system.login(), system.client("bob")
    bob.call(bus.REVIEWER, "Subscribe")
    for who in ("mallory", "bob", "root"):
        attacker = system.client(who)
        for destination in (login.client.name, bob.name, bus.NAME):
            forge(attacker, destination)
    assert login.verdict(0.3) is None and not changes(bob)
    assert system.control.statistics()["pending"] == 1
    assert bob.approve(login) == ("approved", 0)
    assert login.verdict() == ("approved", {"by": ["bob"]})


def test_forged_logind_signals_have_no_effect(system):
    """Somebody says in the bus daemon's words that the requester is gone."""
    login, mallory = system.login(), system.client("mallory")
    owner = mallory.bus("GetNameOwner", "s", bus.NAME)[0]
    gone = new_signal(DBusAddress(bus.DBUS_PATH, owner, bus.DBUS), "NameOwnerChanged", "sss",
                      (login.client.name, login.client.name, ""))  # fmt: skip
    gone.header.fields[HeaderFields.destination] = owner
    mallory.send_message(gone)
    assert login.verdict(0.3) is None
    assert system.client("bob").approve(login) == ("approved", 0)


@pytest.mark.parametrize("who", ["root", "mallory", "bob", "erin"])
def test_nobody_else_owns_the_name(system, who):
    """Attack B7. 7: allow replacement, replace the owner, do not queue."""
    client = system.client(who)
    for flags in (0, 3, 7):
        with pytest.raises(BusError) as error:
            client.bus("RequestName", "su", bus.NAME, flags)
        assert error.value.name == bus.ACCESS_DENIED
    system.broker.stop()
    with pytest.raises(BusError) as error:
        client.bus("RequestName", "su", bus.NAME, 4)
    assert error.value.name == bus.ACCESS_DENIED


def test_a_restart_voids_what_was_pending(system):
    """Attack B7."""
    login = system.login()
    old = login.id
    system.broker.process.kill()
    system.broker.process.wait()
    with pytest.raises(BusError) as error:
        login.verdict()
    assert error.value.name == f"{bus.DBUS}.Error.NoReply"
    system.start_broker(name="broker2")
    bob = system.client("bob")
    assert bob.requests() == ([], 0)
    for client, serial in (
        (bob, bob.send_approve(old, login.code)),
        (login.client, login.client.send(bus.REQUESTER, "WaitDecision", "s", old)),
    ):
        assert error_of(client, serial)[0] == ERROR + "NoSuchRequest"
    assert "decision" not in [entry["kind"] for entry in system.entries()]


def test_unknown_foreign_and_forbidden_ids_are_alike(system):
    """Attack B8: the same bytes but for serial numbers and addresses."""
    login = system.login(service="others")
    ids = [login.id, UNKNOWN, login.id[:-1], login.id.upper(), login.id[:8], "", "x" * 5000, "../../etc", "%s%n"]
    for who in ("bob", "mallory", "erin"):
        client = system.client(who)
        for ask in (
            lambda i: client.send(bus.REVIEWER, "GetRequest", "s", i),
            lambda i: client.send_approve(i, login.code),
            lambda i: client.send_deny(i),
            lambda i: client.send(bus.REQUESTER, "WaitDecision", "s", i),
            lambda i: client.send(bus.REQUESTER, "CancelRequest", "s", i),
        ):
            answers = {repr(error_of(client, ask(identity))) for identity in ids}
            assert answers == {repr((ERROR + "NoSuchRequest", ("There is no such request.",)))}
    assert login.verdict(0.1) is None and login.kinds() == ["request-created"]


def test_another_connection_of_root_may_not_fetch_the_verdict(system):
    login, other = system.login(), system.client("root")
    for member in ("WaitDecision", "CancelRequest"):
        with pytest.raises(BusError) as error:
            other.call(bus.REQUESTER, member, "s", login.id)
        assert error.value.name == ERROR + "NoSuchRequest"
    assert login.verdict(0.1) is None


def everything(client):
    return "".join(repr(message) for message in client.signals + client.others + list(client.replies.values()))


def test_nobody_can_listen(system):
    """Attack B6."""
    spies = [system.client(who) for who in ("mallory", "bob", "peerauth")]
    for spy in spies:
        with pytest.raises(BusError) as error:
            spy.call(f"{bus.DBUS}.Monitoring", "BecomeMonitor", "asu", [], 0, destination=bus.DBUS, path=bus.DBUS_PATH)
        assert error.value.name == bus.ACCESS_DENIED
        for rule in ("eavesdrop=true", "", f"sender='{bus.NAME}'", f"eavesdrop=true,destination='{bus.NAME}'",
                     "type='method_call',eavesdrop=true", "type='method_return',eavesdrop='true'"):  # fmt: skip
            try:
                spy.bus("AddMatch", "s", rule)
            except BusError as refusal:
                assert refusal.name in (bus.ACCESS_DENIED, f"{bus.DBUS}.Error.MatchRuleInvalid")
    subscriber = system.client("carol")
    subscriber.call(bus.REVIEWER, "Subscribe")
    login = system.login(rhost="secret-host.example", tty="secret-tty")
    carol = system.client("carol")
    carol.requests(), carol.get(login), carol.approve(login, note="secret note")
    login.verdict()
    for spy in spies:
        spy.listen(0.1)
        for secret in (login.code, login.id, "secret", "alice"):
            assert secret not in everything(spy)
    subscriber.listen(0.1)
    assert [m.body for m in changes(subscriber)] == [(login.id, "pending"), (login.id, "approved")]
    assert all(m.header.fields[HeaderFields.destination] == subscriber.name for m in changes(subscriber))


def test_signals_go_to_who_may_review(system):
    """Neither the requester nor people without a role hear of a request."""
    people = {who: system.client(who) for who in ("alice", "bob", "erin", "frank", "mallory", "olga", "root")}
    people["disguised"] = system.client("dave", login_uid=bus.uid_of("alice"))
    for client in people.values():
        client.call(bus.REVIEWER, "Subscribe")
    people["left"] = system.client("carol")
    people["left"].call(bus.REVIEWER, "Subscribe")
    people["left"].call(bus.REVIEWER, "Unsubscribe")
    login = system.login()
    heard = set()
    for who, client in people.items():
        client.listen(0.05)
        if changes(client):
            heard.add(who)
    assert heard == {"bob", "erin", "root"}
    assert login.outcome == "pending"


@pytest.mark.parametrize("service", ["one", "compare"])
def test_where_a_code_can_be_found(system, service):
    """Attack C7. The ledger and the log of every test are searched at its end, too."""
    login, bob = system.login(service=service), system.client("bob")
    (listed,), _ = bob.requests()
    assert "code" not in listed and login.code not in repr(listed)
    assert ("code" in bob.get(login)) is (service == "compare")
    proc = pathlib.Path(f"/proc/{system.broker.pid}")
    assert login.code.encode() not in proc.joinpath("cmdline").read_bytes()
    assert login.code.encode() not in proc.joinpath("environ").read_bytes()
    bob.approve(login, note=f"he said {service}")
    login.verdict()
    assert not re.search(rf"(?<!\d){login.code}(?!\d)", "".join(system.bodies()) + system.broker.output())
    assert "--debug" in proc.joinpath("cmdline").read_text()


def memory_of(pid):
    """Everything that the process can write to."""
    parts = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if "rw" in mode and int(end, 16) - int(start, 16) < 2**27:
                memory.seek(int(start, 16))
                try:
                    parts.append(memory.read(int(end, 16) - int(start, 16)))
                except OSError:
                    pass  # guard pages
    return b"".join(parts)


def test_a_code_does_not_stay_in_memory(system):
    """Under Code=enter the broker keeps a keyed hash only, and wipes the messages that held the digits."""
    if bus.SANITIZED:
        pytest.skip("the sanitizer keeps freed memory and its own copies")
    roots, bob = [system.client("root") for _ in range(3)], system.client("bob")
    # At the same time, so that the memory of one is not used for the next; one connection may not have as many.
    facts = [{"user": ("s", f"user{n}"), "service": ("s", "one")} for n in range(10, 25)]
    calls = [(root, root.send(bus.REQUESTER, "CreateRequest", "a{sv}", fact)) for root, fact in zip(roots * 5, facts)]
    bodies = [root.reply(serial) for root, serial in calls]
    logins = [types.SimpleNamespace(id=body[1], code=body[2]) for body in bodies]
    system.codes += [login.code for login in logins]
    bob.approve(logins[0]), bob.statistics(), bob.requests()
    memory = memory_of(system.broker.pid)
    assert logins[0].id.encode() in memory
    assert [login.code for login in logins if re.search(rb"(?<!\d)%s(?!\d)" % login.code.encode(), memory)] == []


def test_it_leaves_no_core_dump(host):
    """Attack C7. What could hold codes and the key must not reach a disk, also where dumps are allowed."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not pattern or pattern[0] in "|/":
        pytest.skip(f"this machine sends core dumps elsewhere ({pattern})")
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] == 0:
        pytest.skip("core dumps are forbidden here")
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    os.chown(host.folder, 64100, 64100)  # where both work, and may write a dump
    try:
        control = subprocess.Popen(["sleep", "60"], cwd=host.folder, user=64100, group=64100, extra_groups=[])
        host.start_broker()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    control.send_signal(signal.SIGSEGV)
    if not os.WCOREDUMP(os.waitpid(control.pid, 0)[1]):
        pytest.skip("no program leaves a core dump here")
    control.returncode = -signal.SIGSEGV
    os.kill(host.broker.pid, signal.SIGABRT)  # SIGQUIT is ignored below a shell's background job
    _, status = os.waitpid(host.broker.pid, 0)
    host.broker.process.returncode = -signal.SIGABRT
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)
