# SPDX-License-Identifier: LGPL-2.1-or-later
"""An attacker at the account stage, the question for a reason and the session hook (attacks A5, A8, A10, B18)."""

import pathlib
import re

import pytest

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS


def creates(owner):
    return [words[0] for name, words in support.calls_with_arguments(owner) if name == "CreateRequest"]


def codes(attempt):
    return [code for _, code in attempt.returned()]


def memory_of(pid, needles):
    """Which of these are in the writable memory of a process."""
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" not in rights or "[vvar]" in line:
                continue
            begin, end = (int(number, 16) for number in span.split("-"))
            if end - begin > 1 << 28:
                continue  # reserved, not used
            memory.seek(begin)
            try:
                part = memory.read(end - begin)
            except OSError:
                continue
            found |= {needle for needle in needles if needle in part}
    return found


# ---- approval data ----


@pytest.mark.parametrize("create", ["pending", "exempt"])
def test_name_that_changes_and_comes_back(host, peer, create):
    """The same account: what was approved is what gets in; another in between is refused and ends it."""
    peer(f"{create}/denied", "approved")
    attempt = host.direct("--call=auth,user=alice,user=root,account")
    attempt.result()
    assert codes(attempt)[1] in (PAM_SUCCESS, PAM_IGNORE)
    attempt = host.direct("--call=auth,user=alice,account,user=root,account")
    attempt.result()
    assert codes(attempt)[1:] == [PAM_PERM_DENIED, PAM_PERM_DENIED]


def test_neither_setcred_nor_a_session_gives_or_takes_an_approval(host, peer):
    owner = peer("pending/denied", "approved")
    attempt = host.direct("--call=setcred,open,account,auth,setcred,open,close,account,setcred,account")
    attempt.result()
    assert codes(attempt) == [PAM_IGNORE, PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS, PAM_IGNORE, PAM_IGNORE,
                              PAM_IGNORE, PAM_SUCCESS, PAM_IGNORE, PAM_PERM_DENIED]
    assert [login.get("stage") for login in creates(owner)] == ["account", None, "account"]


def test_two_handles_share_nothing(host, peer):
    """--repeat makes a new handle each time in one process."""
    peer("pending/denied", "approved")
    attempt = host.direct("--call=auth", "--repeat=2")
    assert attempt.result() == PAM_SUCCESS
    attempt = host.direct("--call=account", "--repeat=2")
    assert attempt.result() == PAM_PERM_DENIED


def test_bad_argument_in_the_account_line_uses_the_approval_up(host, peer):
    peer("pending/denied", "approved")
    host.stack("auth required MODULE", "account optional MODULE nonsense", "account required MODULE")
    assert host.run("--call=auth,account") == PAM_PERM_DENIED


# ---- names of services ----


@pytest.mark.parametrize("service", ["su ", " su", "su,", "su-l,sudo", "sudo, sudo-i", "polkit-1 ", "polkit",
                                      "polkit-1,su", "gdm-launch-environment2", "systemd-use"])
def test_names_that_nearly_are_skipped(host, peer, service):
    peer("pending/denied", "approved")
    assert host.direct("--call=account", service=service).result() == PAM_PERM_DENIED


@pytest.mark.parametrize("skip", ["", ",", "a,", ",a", "a,,b", "a b", "Su", "a/b", "x" * 70, "sshd\n", "ü", "*", "a=b"])
def test_lists_that_are_none(host, peer, skip):
    peer("pending/exempt", "approved")
    attempt = host.direct("--call=account", options=[f"skip={skip}"], service="sshd")
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL


# ---- hostile answers ----


@pytest.mark.parametrize("create", ["ask,exempt", "ask,ask,pending", "ask,pending"])
def test_a_question_at_the_account_stage_is_not_asked(host, peer, create):
    peer(f"denied/{create}", "approved")
    attempt = host.direct("--call=account", "--answer=secret", service="sshd")
    assert attempt.result() == PAM_PERM_DENIED
    assert {line["message"] for line in attempt.lines if "message" in line} == {support.ERROR_MSG}


def test_exempt_after_the_reason_counts_for_the_account_stage(host, peer):
    owner = peer("ask,exempt/denied", "approved")
    attempt = host.direct("--call=auth,account", "--answer=x", service="sudo")
    attempt.result()
    assert codes(attempt) == [PAM_IGNORE, PAM_IGNORE]
    assert len(creates(owner)) == 2


def test_flooded_session_hook(host, peer):
    peer("pending", "approved", "flood")
    attempt = host.direct("--call=env=XDG_SESSION_ID=7,open", service="login")
    assert attempt.result() == PAM_IGNORE
    assert attempt.seconds < 4


# ---- what stays ----


@pytest.mark.parametrize("create, calls, service, code", [
    ("ask,exempt/denied", "auth,account", "sudo", PAM_IGNORE),
    ("pending/pending", "account", "sshd", PAM_AUTHINFO_UNAVAIL),
    ("pending/denied", "account", "sshd", PAM_PERM_DENIED),
    ("ask,pending/denied", "auth,account", "sudo", PAM_SUCCESS),
], ids="exempt odd denied approved".split())
@pytest.mark.skipif(support.INSTRUMENTED, reason="counts the heap")
def test_a_thousand_times(host, peer, create, calls, service, code):
    peer(create, "approved")
    attempt = host.direct(f"--call={calls}", "--repeat=1000", "--answer=reason", service=service)
    assert attempt.result(90) == code
    assert attempt.final["fds"] == 0 and attempt.final["mask_kept"]
    assert abs(attempt.final["heap"]) < 4096, attempt.final


@pytest.mark.skipif(support.INSTRUMENTED, reason="looks into the heap")
@pytest.mark.parametrize("calls, service", [("account,auth", "sshd"), ("auth,account,auth", "sudo")])
def test_no_code_stays_in_memory(host, peer, calls, service):
    """One that the account stage was sent, and one that was used; looked for while the next question is asked."""
    peer("ask,pending/pending", "approved")
    attempt = host.direct(f"--call={calls}", "--wait-enter", "--answer=x", service=service)
    if service == "sudo":
        attempt.until("message")
        attempt.press_enter()
    for _ in range(calls.count(",")):
        attempt.until("call")
    attempt.until("message")
    assert memory_of(attempt.process.pid, [b"482913", b"482 913"]) == set()
    if service == "sshd":  # and the search finds what is there
        attempt.press_enter()
        attempt.until("message")
        assert memory_of(attempt.process.pid, [b"482913", b"482 913"])
    support.end(attempt.process)


# ---- the reason ----


@pytest.mark.parametrize("typed", ["hunter2secret ", " hunter2secret", "hunter2secret\t", "hunter2secrethunter2secret",
                                   "hunter2secret\r"])
@pytest.mark.parametrize("service", ["sudo", "sshd"])
def test_password_with_something_around_it(host, peer, typed, service):
    owner = peer("ask,pending", "approved")
    attempt = host.direct("--call=authtok=hunter2secret,auth", f"--answer={typed}", service=service)
    attempt.result()
    assert "hunter2secret" not in repr(creates(owner)) + attempt.log


@pytest.mark.parametrize("size", [199, 200, 201, 10_000, 100_000])
@pytest.mark.parametrize("what", ["\x9b", "\u202e", "\x01", "\U000e0041", "\\"])
def test_any_reason_is_one_short_harmless_line(host, peer, what, size):
    owner = peer("ask,pending", "approved")
    text = (what * size).encode()[:size]
    attempt = host.direct(b"--answer=" + text, service="sudo")
    result = attempt.result()
    logins = creates(owner)
    if size > 200:
        assert result == PAM_PERM_DENIED and len(logins) == 1
        return
    assert result == PAM_SUCCESS
    reason = logins[1]["reason"]
    assert len(reason.encode()) <= 200 and not re.search("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", reason)


def test_the_manual_names_what_is_skipped():
    """The one list in the sources and the one in the manual."""
    [table] = {found for path in support.TOP.glob("*/*.[ch]") if path.parent.name in ("common", "pam_peerauth", "cli")
               for found in re.findall(r"su[ ,]+su-l.*?sddm-greeter", re.sub(r'"[\s\\]*"', "", path.read_text()), re.S)}
    manual = pathlib.Path(support.TOP / "docs/pam_peerauth.8.scd").read_text()
    default = re.search(r"\*skip\*=.*?Default: (.*?)\.\n", manual, re.S).group(1)
    assert re.findall(r"[a-z][a-z-]*", table) == re.findall(r"[a-z][a-z-]*", default)
