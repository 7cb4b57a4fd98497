# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ways out when nobody can approve: recovery codes and one-time passwords (attacks R1 and R2)."""

import base64
import hmac
import re
import struct
import threading
import time

import pytest

import peerauth_bus as bus
from peerauth_bus import ERROR, BusError

RULES = """[Rule test]
Service=test
Action=require
Reviewers=peerauth-reviewers:2
WhenNobody=recovery-only
"""
SHOWN = r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}"


@pytest.fixture
def system(host):
    host.start_broker(rules=RULES)
    return host


def refused(call, *args, **kwargs):
    with pytest.raises(BusError) as error:
        call(*args, **kwargs)
    return error.value


def generate(system, user="alice", who="root"):
    codes = system.client(who).call(bus.ADMINISTRATOR, "GenerateRecoveryCodes", "s", user)[0]
    system.secrets = getattr(system, "secrets", []) + codes
    return codes


def redeem(login, secret):
    return login.client.call(bus.REQUESTER, "Redeem", "ss", login.id, secret)


def hotp(secret, step):
    """RFC 4226, from its text."""
    digest = hmac.digest(base64.b32decode(secret.replace(" ", "")), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def enrol(system, user="alice", confirm=True):
    """The secret, and the step that was used to confirm it."""
    root = system.client("root")
    text, uri = root.call(bus.ADMINISTRATOR, "EnrollTotp", "ss", user, "lab host")[0]
    assert uri == f"otpauth://totp/lab%20host:{user}?secret={text.replace(' ', '')}&issuer=lab%20host"
    step = int(time.time()) // 30
    if confirm:
        root.call(bus.ADMINISTRATOR, "ConfirmTotp", "ss", user, hotp(text, step - 1))
    return text, step - 1


def secret_is_nowhere(system, *secrets):
    """In no log and in no entry (MUST 3 of flow_recovery.c)."""
    text = system.broker.output() + "".join(system.bodies())
    for secret in secrets:
        assert secret not in text and secret.replace("-", "") not in text


def test_ten_codes_each_works_once(system):
    codes = generate(system)
    assert len(set(codes)) == 10 and all(re.fullmatch(SHOWN, code) for code in codes)
    for number, code in enumerate(codes):
        login = system.login(service="test")
        assert login.info["recovery"] is True
        assert redeem(login, code if number % 2 else code.lower().replace("-", " ")) == ()
        verdict, details = login.verdict()
        assert (verdict, details["by"]) == ("approved", ["a recovery code"])
        assert login.kinds() == ["request-created", "recovery", "decision"]
    assert system.login(service="test").info["recovery"] is False
    again = system.login(service="test")
    assert refused(redeem, again, codes[0]).name == ERROR + "CodeMismatch"
    assert again.verdict(0.1) is None
    secret_is_nowhere(system, *codes)


def test_one_code_in_two_logins_at_once(system):
    """Attack R1."""
    code = generate(system)[0]
    logins = [system.login(service="test") for _ in range(2)]
    serials = [login.client.send(bus.REQUESTER, "Redeem", "ss", login.id, code) for login in logins]
    answers = []
    for login, serial in zip(logins, serials):
        try:
            answers.append(login.client.reply(serial))
        except BusError as error:
            answers.append(error.name)
    assert sorted(answers, key=str) == [(), ERROR + "CodeMismatch"], answers
    verdicts = [login.verdict(0.3) for login in logins]
    assert [v[0] for v in verdicts if v] == ["approved"]
    assert [e["kind"] for e in system.entries()].count("recovery") == 1


def test_a_code_of_another_account(system):
    code = generate(system, "bob")[0]
    login = system.login("alice", service="test")
    assert refused(redeem, login, code).name == ERROR + "CodeMismatch"
    assert redeem(system.login("bob", service="test"), code) == ()


def test_the_third_wrong_one_ends_the_login(system):
    codes = generate(system)
    login = system.login(service="test")
    for _ in range(2):
        assert refused(redeem, login, "0000-0000-0000-0000").name == ERROR + "CodeMismatch"
    error = refused(redeem, login, "0000-0000-0000-0001")
    assert error.name == ERROR + "CodeMismatch" and "denied" in error.text
    assert login.verdict()[0] == "denied"
    assert refused(redeem, login, codes[0]).name == ERROR + "NoSuchRequest", "it is over"
    assert login.kinds() == ["request-created"] + ["recovery-wrong"] * 3 + ["decision"]


def test_wrong_codes_never_lock_recovery_codes(system):
    """Attack C4: a stolen password and many guesses keep the owner out of nothing."""
    codes = generate(system)
    for _ in range(20):
        login = system.login(service="test")
        for _ in range(3):
            refused(redeem, login, "0000-0000-0000-0000")
        assert login.verdict()[0] == "denied"
    assert redeem(system.login(service="test"), codes[3]) == ()


@pytest.mark.parametrize("text", ["", "hello", "8K3V", "1234567", "0" * 64, "\x1b[2J"])
def test_what_is_no_code_uses_up_no_try(system, text):
    generate(system)
    login = system.login(service="test")
    for _ in range(4):
        assert refused(redeem, login, text).name == bus.INVALID_ARGS
    assert login.kinds() == ["request-created"]


def test_only_the_owner_of_the_request_redeems(system):
    """Attack B8."""
    code = generate(system)[0]
    login = system.login(service="test")
    for who in ("root", "alice", "mallory"):
        error = refused(system.client(who).call, bus.REQUESTER, "Redeem", "ss", login.id, code)
        assert error.name == ERROR + "NoSuchRequest"
    assert redeem(login, code) == ()


def test_new_codes_void_the_old_ones(system):
    old, new = generate(system)[0], generate(system)[0]
    assert refused(redeem, system.login(service="test"), old).name == ERROR + "CodeMismatch"
    assert redeem(system.login(service="test"), new) == ()


def test_codes_survive_a_restart_and_used_ones_stay_used(system):
    codes = generate(system)
    redeem(system.login(service="test"), codes[0])
    system.broker.stop()
    system.start_broker(name="second", state=system.broker.state, rules=RULES)
    assert refused(redeem, system.login(service="test"), codes[0]).name == ERROR + "CodeMismatch"
    assert redeem(system.login(service="test"), codes[1]) == ()


def test_recovery_only_denies_who_has_no_way(system):
    for who in ("bob", "carol", "dave"):
        system.logind.remove(who)
    login = system.login(service="test", wait=False)
    assert login.outcome == "denied" and "no recovery codes" in login.info["message"]
    code = generate(system)[0]
    login = system.login(service="test")
    assert (login.outcome, login.info["reachable"], login.info["recovery"]) == ("pending", 0, True)
    assert redeem(login, code) == ()
    assert login.verdict()[0] == "approved"


@pytest.mark.parametrize("who", ["alice", "bob", "erin"])
@pytest.mark.parametrize(("member", "signature", "body"), [
    ("GenerateRecoveryCodes", "s", ()), ("RemoveRecoveryCodes", "s", ()), ("EnrollTotp", "ss", ("h",)),
    ("ConfirmTotp", "ss", ("123456",)), ("RemoveTotp", "s", ()), ("GetRecovery", "s", ()),
])  # fmt: skip
def test_only_root_gives_them_out(system, who, member, signature, body):
    assert refused(system.client(who).call, bus.ADMINISTRATOR, member, signature, who, *body).name == bus.ACCESS_DENIED


def test_an_account_that_does_not_exist(system):
    assert refused(generate, system, "no-such-account").name == bus.INVALID_ARGS
    login = system.login("no-such-account", service="test", wait=False)
    assert login.outcome == "pending" and login.info["recovery"] is False
    assert refused(redeem, login, "0000-0000-0000-0000").name == ERROR + "CodeMismatch"


def test_one_time_passwords(system):
    """Attack R2: each step once, neighbours within one step, nothing older than what was used."""
    secret, used = enrol(system)
    assert system.client("root").call(bus.ADMINISTRATOR, "GetRecovery", "s", "alice") == (0, True)
    login = system.login(service="test")
    assert login.info["recovery"] is True
    assert refused(redeem, login, hotp(secret, used)).name == ERROR + "CodeMismatch", "it was used to confirm"
    now = int(time.time()) // 30
    password = hotp(secret, now)
    assert redeem(login, password) == ()
    assert login.verdict()[1]["by"] == ["a one-time password"]
    assert refused(redeem, system.login(service="test"), password).name == ERROR + "CodeMismatch"
    secret_is_nowhere(system, secret.replace(" ", ""))


def test_a_clock_that_is_off_by_a_minute(system):
    secret, _ = enrol(system)
    login = system.login(service="test")
    now = int(time.time()) // 30
    for step in (now - 2, now + 3):
        assert refused(redeem, login, hotp(secret, step)).name == ERROR + "CodeMismatch"


def test_a_secret_that_was_not_confirmed_does_not_count(system):
    secret, _ = enrol(system, confirm=False)
    login = system.login(service="test")
    assert login.info["recovery"] is False
    assert refused(redeem, login, hotp(secret, int(time.time()) // 30)).name == ERROR + "CodeMismatch"


def test_wrong_one_time_passwords_lock_them_and_nothing_else(system):
    """Six digits can be guessed, so wrong ones lock; recovery codes still work, after a restart too."""
    secret, _ = enrol(system)
    codes = generate(system)
    login = system.login(service="test")
    wrong = next(f"{n:06d}" for n in range(10) if f"{n:06d}" not in {hotp(secret, int(time.time()) // 30 + d) for d in range(-2, 4)})
    for _ in range(3):
        assert refused(redeem, login, wrong).name == ERROR + "CodeMismatch"
    for restart in (False, True):
        if restart:
            system.broker.stop()
            system.start_broker(name="second", state=system.broker.state, rules=RULES)
        locked = system.login(service="test")
        assert refused(redeem, locked, hotp(secret, int(time.time()) // 30)).name == ERROR + "Locked"
        assert "recovery-wrong" not in locked.kinds()
        assert redeem(locked, codes.pop()) == ()


def test_removed_ways_are_gone(system):
    secret, _ = enrol(system)
    code = generate(system)[0]
    root = system.client("root")
    root.call(bus.ADMINISTRATOR, "RemoveTotp", "s", "alice")
    root.call(bus.ADMINISTRATOR, "RemoveRecoveryCodes", "s", "alice")
    assert root.call(bus.ADMINISTRATOR, "GetRecovery", "s", "alice") == (0, False)
    login = system.login(service="test")
    assert login.info["recovery"] is False
    for typed in (code, hotp(secret, int(time.time()) // 30)):
        assert refused(redeem, login, typed).name == ERROR + "CodeMismatch"
    kinds = [e["kind"] for e in system.entries()]
    assert {"recovery-generated", "recovery-removed", "totp-begun", "totp-enrolled", "totp-removed"} <= set(kinds)


def test_many_guesses_at_once_do_not_grow_the_broker(system):
    """64 and more at the same time; each costs 19 MiB while it runs, so one runs at a time."""
    generate(system)
    logins = [system.login(f"user{10 + n % 20}", service="test", rhost=f"r{n % 8}") for n in range(60)]
    before = system.broker.memory_kib()
    serials = [login.client.send(bus.REQUESTER, "Redeem", "ss", login.id, "0000-0000-0000-0000") for login in logins]
    peak, over = [before], threading.Event()

    def watch():
        while not over.is_set():
            peak.append(system.broker.memory_kib())
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    names = {refused(login.client.reply, serial, 30).name for login, serial in zip(logins, serials)}
    over.set()
    thread.join()
    assert names <= {ERROR + "CodeMismatch", ERROR + "RateLimited"}
    if not bus.SANITIZED:
        assert max(peak) - before < 40 * 1024, f"{before} KiB before, {max(peak)} KiB at most"
