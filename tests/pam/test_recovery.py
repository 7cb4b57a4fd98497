# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recovery codes and one-time passwords at the prompt: what is asked, what is sent, what lets somebody in.

Numbers are those of the requirements in pam_peerauth/recover.h and show.h.
"""

import signal
import time

import pytest
from peer import CODE, ID, REDEEM_ERROR

import support
from support import PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_CONV_ERR, PAM_PERM_DENIED, PAM_SUCCESS
from support import PROMPT_ECHO_ON, TEXT_INFO

LINES = "login remote su su-l sudo sudo-i".split()
OTHERS = ["gdm-password", "swaylock", "lightdm", "i3lock", "one", "cockpit", "sshd2"]
SECRET = "8K3V-0QWX-7N2P-ABCD"
ANOTHER = "1111-2222-3333-4444"
UNDER_SSHD = "Press Enter, then wait (or type a recovery code). "
ON_A_LINE = "Recovery code, or Enter to wait: "
ODD = "That is neither a recovery code\nnor a one-time password.\n"
OWN = "That code is for your colleague:\ntell it, do not type it here.\n"
WRONG = "That code is wrong, or was used before.\n"


@pytest.fixture
def recovering(host, peer):
    """Starts a peer that offers recovery, and a login that types these answers."""

    def start(*answers, create="recovery-alone", wait="hold", redeem="silence", service="sudo", calls="auth", more=()):
        owner = peer(create, wait, "ok", redeem)
        words = [f"--answer={answer}" for answer in answers]
        attempt = host.direct(f"--call={calls}", *words, *more, service=service, options=["debug"])
        attempt.owner = owner
        return attempt

    return start


def prompts(attempt):
    return [line["text"] for line in attempt.lines if line.get("message") == PROMPT_ECHO_ON]


def sent(attempt):
    """The secrets that the broker got; each came with the request's id."""
    calls = [words for name, words in support.calls_with_arguments(attempt.owner) if name == "Redeem"]
    assert {ident for ident, _ in calls} <= {ID}
    return [secret for _, secret in calls]


# ---- what is asked


@pytest.mark.parametrize("create", ["recovery", "recovery-alone", "recovery-too-few"])
def test_under_sshd_the_prompt_offers_it(recovering, create):
    attempt = recovering("", create=create, wait="denied", service="sshd")
    assert attempt.result() == PAM_PERM_DENIED
    [prompt] = prompts(attempt)
    assert f"Code {CODE[:3]} {CODE[3:]}" in prompt
    assert prompt.endswith("\n" + UNDER_SSHD)


@pytest.mark.parametrize("create", ["alone", "no-recovery", "too-few"])
@pytest.mark.parametrize("service", ["sshd", "sudo"])
def test_not_offered_without_a_way(recovering, create, service):
    """The answer is not read, whatever it looks like."""
    attempt = recovering(SECRET, create=create, wait="denied", service=service)
    assert attempt.result() == PAM_PERM_DENIED
    assert [text[-24:] for text in prompts(attempt)] == (["Press Enter, then wait. "] if service == "sshd" else [])
    assert sent(attempt) == []


@pytest.mark.parametrize("service", LINES)
@pytest.mark.parametrize("create, asked", [("recovery", False), ("recovery-alone", True), ("recovery-too-few", True)])
def test_on_a_terminal_only_if_nobody_can_approve(recovering, service, create, asked):
    attempt = recovering("", create=create, wait="denied", service=service)
    assert attempt.result() == PAM_PERM_DENIED
    assert attempt.lines[0]["message"] == TEXT_INFO and attempt.lines[0]["text"].endswith("Valid 1 min.")
    assert prompts(attempt) == ([ON_A_LINE] if asked else [])
    if asked:
        assert attempt.lines[1]["text"] == ON_A_LINE


@pytest.mark.parametrize("service", OTHERS)
def test_never_elsewhere(recovering, service):
    attempt = recovering(SECRET, wait="denied", service=service)
    assert attempt.result() == PAM_PERM_DENIED
    assert prompts(attempt) == [] and sent(attempt) == []


def test_malformed_offer(recovering):
    attempt = recovering(SECRET, create="odd-recovery", wait="approved")
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert prompts(attempt) == []


@pytest.mark.parametrize("service", ["sshd", "login"])
def test_longest_message_fits(recovering, service):
    attempt = recovering("", create="recovery-longest", wait="denied", service=service)
    attempt.result()
    assert all(len(text.encode()) < 512 for text in attempt.texts())
    assert prompts(attempt)[0].endswith(UNDER_SSHD if service == "sshd" else ON_A_LINE)


# ---- what lets somebody in


@pytest.mark.parametrize("service", ["sshd", *LINES])
def test_recovery_code(recovering, service):
    attempt = recovering(SECRET, redeem="ok>recovered", service=service)
    assert attempt.result() == PAM_SUCCESS
    assert attempt.texts()[-1] == "Approved by a recovery code."
    assert sent(attempt) == [SECRET]


@pytest.mark.parametrize(
    "typed",
    ["8k3v-0qwx-7n2p-abcd", "8K3V0QWX7N2PABCD", " 8k3v oqwx 7n2p abcd ", "8K3V-OQWX-7N2P-ABCD\t", "8K3V--0QWX7N2P-ABCD"],
)
def test_forms_of_a_recovery_code(recovering, typed):
    """One form is sent, whatever people make of it: case, spaces, dashes, O for 0."""
    attempt = recovering(typed, redeem="ok>recovered")
    assert attempt.result() == PAM_SUCCESS
    assert sent(attempt) == [SECRET]


@pytest.mark.parametrize("typed", ["001234", "001 234", " 001-234 "])
@pytest.mark.parametrize("service", ["sshd", "sudo"])
def test_one_time_password(recovering, typed, service):
    attempt = recovering(typed, redeem="ok>one-time", service=service)
    assert attempt.result() == PAM_SUCCESS
    assert attempt.texts()[-1] == "Approved by a one-time password."
    assert sent(attempt) == ["001234"]


@pytest.mark.parametrize("redeem", ["recovered<ok", "recovered<silence", "recovered<wrong", "late=2>recovered"])
def test_the_verdict_decides_whenever_it_comes(recovering, redeem):
    attempt = recovering(SECRET, redeem=redeem)
    assert attempt.result() == PAM_SUCCESS
    assert len(prompts(attempt)) == 1


@pytest.mark.parametrize("service", ["sshd", "sudo"])
@pytest.mark.parametrize("redeem", ["ok", "odd"])
def test_the_answer_alone_grants_nothing(recovering, redeem, service):
    """MUST 1: without a verdict the login ends at its deadline."""
    attempt = recovering(SECRET, create="recovery-soon", redeem=redeem, service=service)
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert 1.5 < attempt.seconds < 7
    assert sent(attempt) == [SECRET]


@pytest.mark.parametrize("redeem", ["ok>denied", "denied<ok"])
def test_a_denial_after_the_answer_is_one(recovering, redeem):
    assert recovering(SECRET, redeem=redeem).result() == PAM_PERM_DENIED


def test_in_a_stack(host, peer):
    owner = peer("recovery-alone", "hold", "ok", "wrong,ok>recovered")
    attempt = host.start(f"--answer={ANOTHER}", f"--answer={SECRET}", service="sudo")
    assert attempt.result() == PAM_SUCCESS
    attempt.owner = owner
    assert sent(attempt) == [ANOTHER, SECRET]
    assert SECRET not in attempt.log and ANOTHER not in attempt.log


# ---- wrong codes, and what the broker says to them


@pytest.mark.parametrize("service, prefix, prompt", [("sshd", "\n", UNDER_SSHD), ("su", "", ON_A_LINE)])
def test_another_after_a_wrong_one(recovering, service, prefix, prompt):
    attempt = recovering(ANOTHER, SECRET, redeem="wrong,ok>recovered", service=service)
    assert attempt.result() == PAM_SUCCESS
    assert len(prompts(attempt)) == 2
    assert prompts(attempt)[1] == prefix + WRONG + prompt
    assert sum(f"{CODE[:3]} {CODE[3:]}" in text for text in attempt.texts()) == 1  # show.h, MUST 1
    assert sent(attempt) == [ANOTHER, SECRET]


@pytest.mark.parametrize("last", ["wrong>too-many", "too-many<wrong", "too-many<decided", "decided>too-many"])
def test_the_third_wrong_one_ends_it(recovering, last):
    """The person is not asked a fourth time, in whatever order the two answers come."""
    attempt = recovering(SECRET, redeem=f"wrong,wrong,{last}")
    assert attempt.result() == PAM_PERM_DENIED
    assert len(prompts(attempt)) == 3
    assert attempt.texts()[-1] == "Denied.\nToo many wrong codes."
    assert sent(attempt) == [SECRET] * 3


@pytest.mark.parametrize(
    "word, notice",
    [
        ("wrong", WRONG),
        ("locked", "One-time passwords are locked for now.\nRecovery codes still work.\n"),
        ("limited", "Too many tries. Wait a moment,\nthen type the code again.\n"),
        ("no-code", ODD),
        ("old-broker", "The code cannot be checked now.\n"),
    ],
)
def test_what_the_person_is_told(recovering, word, notice):
    attempt = recovering("123456", SECRET, redeem=f"{word},ok>recovered")
    assert attempt.result() == PAM_SUCCESS
    assert prompts(attempt) == [ON_A_LINE, notice + ON_A_LINE]
    assert sent(attempt) == ["123456", SECRET]
    assert all(len(row) <= 40 for row in notice.splitlines())
    logged = f"cannot check a recovery code: {REDEEM_ERROR[word]}" in attempt.log
    assert logged == (word == "old-broker")
    assert "123456" not in attempt.log


@pytest.mark.parametrize("word", ["decided", "expired", "gone"])
def test_not_asked_again_when_it_is_over(recovering, word):
    attempt = recovering(SECRET, redeem=f"{word}>denied")
    assert attempt.result() == PAM_PERM_DENIED
    assert len(prompts(attempt)) == 1


def test_not_asked_for_ever(recovering):
    """A broker that never decides, and a front end that answers by itself."""
    attempt = recovering(SECRET, redeem="limited")
    attempt.owner.stdout.readline()
    while "Waiting for approval." not in attempt.until("message")["text"]:
        pass
    assert len(prompts(attempt)) == 10
    attempt.owner.terminate()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL


# ---- what is not sent


@pytest.mark.parametrize("service", ["sshd", "login"])
@pytest.mark.parametrize(
    "typed",
    ["hello", "8K3V-0QWX-7N2P-ABC", "8K3V-0QWX-7N2P-ABCDE", "8K3V-0QWX-7N2P-ABCU", "12345", "1234567", "x" * 5000]
    + ["8K3V-0QWX-7N2P-ABCD\x1b", "１２３４５６"],
    ids="word short long letter five seven huge escape wide".split(),
)
def test_no_code_is_not_sent(recovering, typed, service):
    """Asked three times in all, then it waits as without recovery."""
    attempt = recovering(typed, create="recovery-alone", wait="late=2,approved", service=service)
    assert attempt.result() == PAM_SUCCESS
    asked = prompts(attempt)
    assert len(asked) == 3
    assert ODD not in asked[0]
    assert asked[1] == asked[2] and asked[1].lstrip("\n").startswith(ODD)
    assert attempt.texts()[-2] == ODD + "Waiting for approval."
    assert sent(attempt) == []
    assert typed not in attempt.log and typed not in "".join(attempt.texts())


@pytest.mark.parametrize("typed", [CODE, f"{CODE[:3]} {CODE[3:]}", f" {CODE}"])
@pytest.mark.parametrize("service", ["sshd", "sudo"])
def test_the_requests_own_code_is_not_sent(recovering, typed, service):
    attempt = recovering(typed, SECRET, redeem="ok>recovered", service=service)
    assert attempt.result() == PAM_SUCCESS
    assert [OWN in text for text in prompts(attempt)] == [False, True]
    assert sent(attempt) == [SECRET]


@pytest.mark.parametrize(
    "password, typed",
    [("hunter2", "hunter2"), ("123456", "123456"), ("123456", " 123456 "), (SECRET, SECRET), (SECRET, SECRET.lower())],
)
@pytest.mark.parametrize("service", ["sshd", "sudo"])
def test_password_typed_by_reflex_counts_as_nothing(recovering, password, typed, service):
    attempt = recovering(
        typed, calls=f"authtok={password},auth", wait="late=1,approved", redeem="ok>recovered", service=service
    )
    assert attempt.result() == PAM_SUCCESS
    assert len(prompts(attempt)) == 1
    assert sent(attempt) == []
    assert attempt.texts()[-1].startswith("Approved by bob.")
    assert password not in attempt.log


def test_another_than_the_password_is_sent(recovering):
    attempt = recovering("654321", calls="authtok=123456,auth", redeem="ok>one-time")
    assert attempt.result() == PAM_SUCCESS
    assert sent(attempt) == ["654321"]


@pytest.mark.parametrize("typed", ["", " ", "\t \r"])
@pytest.mark.parametrize("service", ["sshd", "su"])
def test_enter_waits(recovering, typed, service):
    attempt = recovering(typed, wait="late=1,approved", service=service)
    assert attempt.result() == PAM_SUCCESS
    assert len(prompts(attempt)) == 1
    assert sent(attempt) == []


@pytest.mark.skipif(support.SANITIZED, reason="a sanitizer keeps what was freed")
@pytest.mark.parametrize(
    "seek",
    [SECRET, SECRET.lower(), SECRET.replace("-", ""), "735129", "swordfish"],
    ids="sent typed canonical six word".split(),  # the name of the test's folder is in memory
)
@pytest.mark.parametrize("service", ["sshd", "sudo"])
def test_what_was_typed_is_wiped(recovering, seek, service):
    """MUST 3: in the form that was typed, in the one that was sent, and in between; looked for at every prompt. The
    blanks are for the allocator, which writes over the first bytes of what is freed."""
    typed = [" " * 24 + SECRET.lower(), "#" * 24 + "swordfish", " " * 24 + "735129"]
    attempt = recovering(*typed, redeem="wrong,wrong,wrong>too-many", service=service, more=[f"--seek={seek}"])
    assert attempt.result() == PAM_PERM_DENIED
    assert sent(attempt) == [SECRET, "735129", "735129"]
    assert attempt.final["leftovers"] == 0


@pytest.mark.skipif(support.SANITIZED, reason="a sanitizer keeps what was freed")
def test_wiping_is_seen(recovering):
    """The same look at the memory finds what is there: the end of a text in the program's output buffer."""
    attempt = recovering("", wait="denied", more=["--seek=Valid 1 min."])
    attempt.result()
    assert attempt.final["leftovers"] > 0


# ---- people who go away, brokers that do, time that runs out


@pytest.mark.parametrize("service", ["sshd", "sudo"])
@pytest.mark.parametrize("how", [["--eof"], ["--fail-message=1"]])
def test_given_up(recovering, service, how):
    """At the first prompt, or at the one after a wrong code."""
    attempt = recovering(SECRET, redeem="wrong", service=service, more=how)
    assert attempt.result() == PAM_CONV_ERR
    names = support.calls(attempt.owner, until="CancelRequest")
    assert names[-1] == "CancelRequest"
    assert names.count("Redeem") == (service == "sshd" and "--eof" not in how)


def test_given_up_at_the_last_words(recovering):
    attempt = recovering("hello", more=["--fail-message=4"])
    assert attempt.result() == PAM_CONV_ERR
    assert support.calls(attempt.owner)[-1] == "CancelRequest"


def test_signal_while_a_code_is_checked(recovering):
    """sudo catches Ctrl-C; the request is taken back without the broker's answer."""
    attempt = recovering(SECRET, more=["--catch"])
    while "Redeem" not in attempt.owner.stdout.readline():
        pass
    started = time.monotonic()
    attempt.process.send_signal(signal.SIGINT)
    assert attempt.result() == PAM_CONV_ERR
    assert time.monotonic() - started < 2
    assert attempt.final["caught"] == signal.SIGINT
    assert attempt.final["mask_kept"] is True
    assert support.calls(attempt.owner)[-1] == "CancelRequest"


@pytest.mark.parametrize("answers", [[""], [SECRET, ""], ["hello", ""]])
def test_signals_are_the_programs_again_at_the_prompt(recovering, answers):
    """A front end that ends its own prompt at Ctrl-C must get the signal there."""
    attempt = recovering(*answers, redeem="wrong", more=["--catch", "--wait-enter"])
    attempt.until("message")
    for _ in answers:
        attempt.until("message")
        status = open(f"/proc/{attempt.process.pid}/status").read()
        [blocked] = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
        assert int(blocked, 16) == 0
        attempt.press_enter()
    attempt.process.kill()


def test_the_connection_is_held_while_the_prompt_is_open(recovering, bus):
    """The request lives as long as it."""
    watcher = bus.client("root")
    attempt = recovering("", wait="late=1,approved", more=["--wait-enter"])
    attempt.until("message")
    attempt.until("message")
    before = set(watcher.bus("ListNames")[0])
    time.sleep(1.5)
    assert set(watcher.bus("ListNames")[0]) == before
    attempt.press_enter()
    assert attempt.result() == PAM_SUCCESS
    assert set(watcher.bus("ListNames")[0]) < before


@pytest.mark.parametrize("service, messages", [("sshd", 1), ("sudo", 2)])
@pytest.mark.parametrize("word, code", [("approved", PAM_AUTHINFO_UNAVAIL), ("expired", PAM_AUTH_ERR)])
def test_prompt_left_open_too_long(recovering, service, messages, word, code):
    """Nothing is sent after the deadline; an approval is too old, and a refusal says why it ended."""
    attempt = recovering(SECRET, create="recovery-soon", wait=f"late=1,{word}", service=service, more=["--wait-enter"])
    for _ in range(messages):
        attempt.until("message")
    time.sleep(6)
    attempt.press_enter()
    assert attempt.result() == code
    assert len(prompts(attempt)) == 1
    assert sent(attempt) == []


@pytest.mark.parametrize("word, code", [("approved", PAM_SUCCESS), ("denied", PAM_PERM_DENIED)])
@pytest.mark.parametrize("typed", ["", "hello", SECRET])
def test_decided_while_the_prompt_was_open(recovering, word, code, typed):
    """It is noticed at the next step, and nobody is asked again."""
    attempt = recovering(typed, wait=word, redeem="decided", more=["--wait-enter"])
    attempt.until("message")
    attempt.until("message")
    time.sleep(0.3)
    attempt.press_enter()
    assert attempt.result() == code
    assert len(prompts(attempt)) == 1


@pytest.mark.parametrize("typed", ["", "hello", SECRET])
def test_broker_goes_while_the_prompt_is_open(recovering, typed):
    attempt = recovering(typed, more=["--wait-enter"])
    attempt.until("message")
    attempt.until("message")
    support.end(attempt.owner)
    attempt.press_enter()
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 5
    assert len(prompts(attempt)) == 1


def test_broker_goes_while_a_code_is_checked(recovering):
    attempt = recovering(SECRET, redeem="die")
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 5


def test_silence_ends_at_the_deadline(recovering):
    attempt = recovering(SECRET, create="recovery-soon")
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert 1.5 < attempt.seconds < 7
    assert len(prompts(attempt)) == 1
