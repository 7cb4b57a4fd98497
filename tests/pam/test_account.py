# SPDX-License-Identifier: LGPL-2.1-or-later
"""The account stage: what this handle was allowed before, once, and else the broker (attacks A8, A13)."""

import re
import signal

import pytest

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_IGNORE, PAM_MAXTRIES, PAM_PERM_DENIED, PAM_SUCCESS

# security/_pam_types.h
PAM_NEW_AUTHTOK_REQD = 12
PAM_ACCT_EXPIRED = 13

OUR_ERROR = "org.peerauth.PeerAuth1.Error."
HINT = "AuthenticationMethods publickey,keyboard-interactive"
BOTH = ["auth required MODULE", "account required MODULE"]
# docs/pam_peerauth.8.scd, "skip".
SKIPPED = """su su-l sudo sudo-i doas runuser runuser-l chfn chsh cron crond fcron atd systemd-user
    gdm-launch-environment greetd-greeter lightdm-greeter sddm-greeter""".split()


def creates(owner):
    """The arguments of each CreateRequest that the peer got."""
    return [words[0] for name, words in support.calls_with_arguments(owner) if name == "CreateRequest"]


def run(host, calls, *arguments, **keywords):
    attempt = host.direct(f"--call={calls}", *arguments, **keywords)
    attempt.result()
    return attempt


def test_approved_handle_passes(host, peer):
    owner = peer("pending/denied", "approved")
    attempt = run(host, "auth,account")
    assert attempt.returned() == [("auth", PAM_SUCCESS), ("account", PAM_SUCCESS)]
    assert len(creates(owner)) == 1
    assert len(attempt.texts()) == 2  # the code and the decision: the second stage has nothing to say


def test_approved_handle_passes_through_libpam(host, peer):
    peer("pending/denied", "approved")
    host.stack(*BOTH)
    attempt = host.start("--call=auth,account", wrapped=True)
    assert attempt.result() == PAM_SUCCESS
    assert attempt.returned() == [("auth", PAM_SUCCESS), ("account", PAM_SUCCESS)]


def test_exempted_handle_is_ignored_without_asking_again(host, peer):
    owner = peer("exempt/denied", "denied")
    assert run(host, "auth,account").returned() == [("auth", PAM_IGNORE), ("account", PAM_IGNORE)]
    assert len(creates(owner)) == 1


def test_without_authentication_the_broker_is_asked(host, peer):
    """And told that this is the account stage, where nothing can be shown or asked (attack A13)."""
    owner = peer("exempt/denied", "approved")
    attempt = run(host, "account", "--rhost=192.0.2.7", service="sshd")
    assert attempt.final["result"] == PAM_PERM_DENIED
    assert attempt.texts() == ["This login is not allowed.\nNo."]
    assert attempt.lines[0]["message"] == support.ERROR_MSG
    [login] = creates(owner)
    assert login == {"user": "root", "service": "sshd", "rhost": "192.0.2.7", "stage": "account"}
    [line] = [line for line in attempt.log.splitlines() if "account stage" in line]
    assert 'denied by rule "r": No.' in line and HINT in line and "Action=exempt" in line


def test_authentication_stage_names_no_stage(host, peer):
    owner = peer("pending", "denied")
    run(host, "auth", service="gdm-password")
    [login] = creates(owner)
    assert "stage" not in login and "can-ask" not in login and "reason" not in login


def test_exempt_by_rule(host, peer):
    peer("denied/exempt", "approved")
    attempt = run(host, "account")
    assert attempt.final["result"] == PAM_IGNORE
    assert attempt.texts() == []


@pytest.mark.parametrize("create", ["pending", "approved", "expired", "unknown-word", "boolean", "empty-body"])
def test_no_other_answer_lets_it_pass(host, peer, create):
    """A request that is held would wait for a code that nobody is shown."""
    owner = peer(f"exempt/{create}", "approved")
    attempt = run(host, "account")
    assert attempt.final["result"] == PAM_AUTHINFO_UNAVAIL
    assert not any("482" in text for text in attempt.texts())
    assert support.calls(owner) == ["CreateRequest"]


@pytest.mark.parametrize(
    "error, code",
    [
        (OUR_ERROR + "RateLimited", PAM_MAXTRIES),
        (OUR_ERROR + "Locked", PAM_MAXTRIES),
        (OUR_ERROR + "LedgerUnavailable", PAM_AUTHINFO_UNAVAIL),
        (OUR_ERROR + "ReasonNeeded", PAM_PERM_DENIED),
        ("org.freedesktop.DBus.Error.AccessDenied", PAM_PERM_DENIED),
        ("org.freedesktop.DBus.Error.InvalidArgs", PAM_AUTHINFO_UNAVAIL),
    ],
)
def test_errors(host, peer, error, code):
    peer(f"exempt/error={error}", "approved")
    attempt = run(host, "account", service="sshd")
    assert attempt.final["result"] == code
    assert {line["message"] for line in attempt.lines if "message" in line} == {support.ERROR_MSG}


@pytest.mark.parametrize("service", ["sshd", "gdm-fingerprint", "gdm-autologin", "lightdm-autologin", "login"])
def test_no_broker(host, bus, service):
    attempt = run(host, "account", service=service)
    assert attempt.final["result"] == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 2


def test_broker_is_stopped(host, peer):
    peer("exempt", "approved").send_signal(signal.SIGSTOP)
    attempt = run(host, "account", options=["connect=1"])
    assert attempt.final["result"] == PAM_AUTHINFO_UNAVAIL
    assert attempt.seconds < 3


def test_an_approval_serves_once(host, peer):
    """The second time the login is one that has not been approved (attack A8)."""
    owner = peer("pending/denied", "approved")
    attempt = run(host, "auth,account,account")
    assert attempt.returned() == [
        ("auth", PAM_SUCCESS),
        ("account", PAM_SUCCESS),
        ("account", PAM_PERM_DENIED),
    ]
    assert [login.get("stage") for login in creates(owner)] == [None, "account"]


def test_each_authentication_serves_once(host, peer):
    peer("pending/denied", "approved")
    attempt = run(host, "auth,auth,account,auth,account,account")
    assert [code for _, code in attempt.returned()] == [0, 0, 0, 0, 0, PAM_PERM_DENIED]


def test_a_refused_second_authentication_takes_the_approval_away(host, peer):
    """What the first one gave is gone, also if the second did not get as far as the broker."""
    owner = peer("pending/denied", "approved")
    attempt = run(host, "auth,user=a\x1bb,auth,user=root,account")
    assert [code for _, code in attempt.returned()] == [PAM_SUCCESS, PAM_PERM_DENIED, PAM_PERM_DENIED]
    assert len(creates(owner)) == 2


@pytest.mark.parametrize("wait", ["denied", "expired", "variant"])
def test_a_refused_authentication_leaves_nothing(host, peer, wait):
    """A stack that goes on after our refusal."""
    peer("pending/denied", wait)
    attempt = run(host, "auth,account")
    assert attempt.final["result"] == PAM_PERM_DENIED


@pytest.mark.parametrize("create", ["pending", "exempt"])
@pytest.mark.parametrize("service", ["one", "sudo"])
@pytest.mark.parametrize("name", ["alice", "Root", "root ", ""])
def test_another_account_than_the_approved(host, peer, create, service, name):
    """Denied, in a service that is skipped too, and not kept for a third try (attack A6)."""
    owner = peer(f"{create}/exempt", "approved")
    attempt = run(host, f"auth,user={name},account,user=root,account", service=service)
    assert [code for _, code in attempt.returned()][1:] == [PAM_PERM_DENIED, PAM_IGNORE]
    assert "is no longer" in attempt.log
    assert len(creates(owner)) == (1 if service == "sudo" else 2)


def test_name_changed_while_the_refusal_is_shown(host, peer):
    peer("exempt/denied", "approved")
    assert run(host, "account", "--rename=alice").final["result"] == PAM_PERM_DENIED


@pytest.mark.parametrize("service", SKIPPED)
def test_services_that_are_no_login_of_their_own(host, bus, service):
    """They pass at once without a broker, and with a mistake in the arguments."""
    attempt = run(host, "account", service=service)
    assert attempt.final["result"] == PAM_IGNORE
    assert attempt.texts() == []
    wrong = run(host, "account", service=service, options=["nonsense"])
    assert wrong.final["result"] == PAM_IGNORE


@pytest.mark.parametrize("service", ["su-", "s", "sudo-", "cro", "ron", "u,su", "gdm-autologin", "cron2"])
def test_services_with_similar_names_are_asked_about(host, peer, service):
    peer("exempt/denied", "approved")
    assert run(host, "account", service=service).final["result"] == PAM_PERM_DENIED


@pytest.mark.parametrize("service", ["sudo", "su", "cron"])
def test_authentication_of_a_skipped_service_is_asked_about(host, peer, service):
    """And an approval is one: the account stage says so."""
    peer("denied", "approved")
    assert run(host, "auth", service=service).final["result"] == PAM_PERM_DENIED


def test_approved_sudo(host, peer):
    peer("pending/denied", "approved")
    attempt = run(host, "auth,account,account", service="sudo")
    assert [code for _, code in attempt.returned()] == [PAM_SUCCESS, PAM_SUCCESS, PAM_IGNORE]


def test_skip_adds_services(host, peer):
    peer("exempt/denied", "approved")
    options = ["skip=backupd,fetch-mail"]
    assert run(host, "account", service="fetch-mail", options=options).final["result"] == PAM_IGNORE
    assert run(host, "account", service="backupd", options=options).final["result"] == PAM_IGNORE
    assert run(host, "account", service="cron", options=options).final["result"] == PAM_IGNORE
    assert run(host, "account", service="backup", options=options).final["result"] == PAM_PERM_DENIED


def test_wrong_argument(host, peer):
    """Approved or not: the mistake shows at the first login, not at the first key."""
    peer("pending/exempt", "approved")
    host.stack("auth required MODULE", "account required MODULE skip=")
    attempt = host.start("--call=auth,account")
    assert attempt.result() == PAM_AUTHINFO_UNAVAIL
    assert '"skip=" is unknown or malformed' in attempt.log
    assert run(host, "account", options=["skip="]).final["result"] == PAM_AUTHINFO_UNAVAIL


def test_polkit_is_ignored(host, bus):
    assert run(host, "account", service="polkit-1").final["result"] == PAM_IGNORE


def shipped():
    """The account stack as pam-auth-update(8) makes it of packaging/pam/peerauth and Debian's own profile."""
    profile = (support.TOP / "packaging/pam/peerauth").read_text()
    fields = dict(re.findall(r"^([\w-]+):[ \n\t]*(.*)$", profile, re.M))
    assert fields["Account-Type"] == "Primary" and int(fields["Priority"]) > 256  # before pam_unix, whose 256 is
    assert fields["Account"] == fields["Account-Initial"]
    return [
        "account " + re.sub(r"pam_peerauth\.so$", "MODULE", fields["Account"]),
        "account [success=1 new_authtok_reqd=done default=ignore] pam_permit.so",
        "account requisite pam_deny.so",
        "account required pam_permit.so",
    ]


@pytest.mark.parametrize(
    "create, calls, code",
    [
        ("pending/denied", "auth,account", PAM_SUCCESS),
        ("pending/exempt", "account", PAM_SUCCESS),
        ("pending/denied", "account", PAM_PERM_DENIED),
        ("pending/die", "account", PAM_AUTHINFO_UNAVAIL),
    ],
)
def test_shipped_stack(host, peer, create, calls, code):
    peer(create, "approved")
    host.stack("auth required MODULE", *shipped())
    assert host.run(f"--call={calls}") == code


@pytest.mark.parametrize(
    "create, what, code",
    [
        ("exempt/exempt", "acct_expired", PAM_ACCT_EXPIRED),
        ("exempt/exempt", "new_authtok_reqd", PAM_NEW_AUTHTOK_REQD),
        ("exempt/denied", "new_authtok_reqd", PAM_PERM_DENIED),
    ],
)
def test_shipped_stack_with_an_expired_account(host, peer, create, what, code):
    """Neither hides the other: Debian's line ends the stack at an expired password, so ours comes before it."""
    peer(create, "approved")
    stack = shipped()
    control = "[success=1 new_authtok_reqd=done default=ignore]"
    if what == "acct_expired":
        control = "[success=1 default=die]"
    stack[1] = f"account {control} pam_debug.so acct={what}"
    host.stack(*stack)
    assert host.run("--call=account") == code


@pytest.mark.parametrize("control", ["sufficient", "required", "[success=done default=die]"])
def test_exempt_alone_lets_nobody_in(host, peer, control):
    peer("exempt/exempt", "approved")
    host.stack(f"account {control} MODULE")
    assert host.run("--call=account") == PAM_PERM_DENIED


def test_unprivileged_program(host, peer):
    """A screen locker that looks at the account stage without authenticating gets no further than any."""
    peer("exempt/denied", "approved")
    attempt = run(host, "account", "--user=alice", as_user="alice")
    assert attempt.final["result"] == PAM_PERM_DENIED
