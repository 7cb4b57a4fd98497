# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a stack makes of the module's answers (attack A4). The expected values are pam.conf(5)'s."""

import pytest

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_PERM_DENIED, PAM_SUCCESS

SUFFICIENT = ["auth sufficient MODULE", "auth required pam_deny.so"]
DONE = ["auth [success=done default=die] MODULE", "auth required pam_permit.so"]
SHIPPED = ["auth [success=ok ignore=ignore default=die] MODULE", "auth required pam_permit.so"]
# The password module of Debian's common-auth has already succeeded when ours is asked.
AFTER_PASSWORD = ["auth [success=1 default=ignore] pam_permit.so", "auth requisite pam_deny.so", *SHIPPED]
LONELY = [[f"auth {control} MODULE"] for control in ("sufficient", "required", "[success=done default=die]")]


@pytest.mark.parametrize("lines", LONELY)
def test_exempt_alone_lets_nobody_in(host, broker, lines):
    host.stack(*lines, service="exempt")
    assert host.run(service="exempt") == PAM_PERM_DENIED


def test_exempt_in_a_sufficient_stack(host, broker):
    host.stack(*SUFFICIENT, service="exempt")
    assert host.run(service="exempt") != PAM_SUCCESS


def test_exempt_leaves_the_decision_to_the_others(host, broker):
    host.stack(*AFTER_PASSWORD, service="exempt")
    assert host.run(service="exempt") == PAM_SUCCESS


@pytest.mark.parametrize("stack", [SUFFICIENT, DONE, SHIPPED, AFTER_PASSWORD])
@pytest.mark.parametrize("how, code", [("denied", PAM_PERM_DENIED), ("variant", PAM_AUTHINFO_UNAVAIL)])
def test_refusal(host, peer, stack, how, code):
    peer("pending", how)
    host.stack(*stack)
    result = host.run()
    assert result != PAM_SUCCESS
    assert result in (code, 7)  # pam_deny says PAM_AUTH_ERR after a sufficient module that failed


@pytest.mark.parametrize("stack", [SUFFICIENT, DONE, SHIPPED, AFTER_PASSWORD])
def test_no_broker(host, stack):
    host.stack(*stack)
    assert host.run() in (PAM_AUTHINFO_UNAVAIL, 7)


@pytest.mark.parametrize("stack", [SUFFICIENT, DONE, SHIPPED, AFTER_PASSWORD])
def test_approval(host, peer, stack):
    peer("pending", "approved")
    host.stack(*stack)
    assert host.run() == PAM_SUCCESS


def test_wrong_password_reaches_no_reviewer(host, peer):
    """The module stands behind the password (attack A12)."""
    owner = peer("pending", "approved")
    host.stack("auth requisite pam_deny.so", *SHIPPED)
    assert host.run() == 7
    assert support.calls(owner) == []


def test_failure_after_the_approval(host, peer):
    peer("pending", "approved")
    host.stack("auth required MODULE", "auth required pam_deny.so")
    assert host.run() == 7


# docs/pam_peerauth.8.scd, "LINES THAT JUMP OURS"; what stands behind them is Debian's common-auth.
INSTEAD_OF_SUFFICIENT = ["auth [success=ok ignore=ignore default=die] MODULE", "auth sufficient pam_permit.so"]


@pytest.mark.parametrize("create, verdict, code", [
    ("pending", "approved", PAM_SUCCESS),
    ("pending", "denied", PAM_PERM_DENIED),
    ("exempt", "denied", PAM_SUCCESS),
    ("denied", "approved", PAM_PERM_DENIED),
])
@pytest.mark.parametrize("first", ["pam_permit.so", "pam_deny.so"])
def test_three_lines_in_the_place_of_a_sufficient_one(host, peer, create, verdict, code, first):
    """Whether the agent or the password lets people pass, they are put to the broker, once."""
    owner = peer(create, verdict)
    host.stack(f"auth [success=ok default=2] {first}", *INSTEAD_OF_SUFFICIENT, *AFTER_PASSWORD, service="sudo")
    attempt = host.start("--call=auth,setcred", service="sudo")
    attempt.result()
    assert attempt.returned()[0] == ("auth", code)
    assert code != PAM_SUCCESS or attempt.returned()[1] == ("setcred", PAM_SUCCESS)
    assert [name for name in support.calls(owner) if name == "CreateRequest"] == ["CreateRequest"]


def test_three_lines_and_a_wrong_password(host, peer):
    """Whom the agent does not know must not come by its line for us."""
    owner = peer("pending", "approved")
    host.stack("auth [success=ok default=2] pam_deny.so", *INSTEAD_OF_SUFFICIENT, "auth requisite pam_deny.so",
               *SHIPPED, service="sudo")
    assert host.run(service="sudo") == 7
    assert support.calls(owner) == []
