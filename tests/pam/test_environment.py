# SPDX-License-Identifier: LGPL-2.1-or-later
"""The environment and the host's state (attacks A9, A10). test_terminals.py has real sudo and su."""

import pytest

import support
from support import PAM_AUTHINFO_UNAVAIL, PAM_IGNORE, PAM_PERM_DENIED, PAM_SUCCESS

HOSTILE = {
    "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/hostile",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/hostile",
    "DBUS_STARTER_ADDRESS": "unix:path=/nonexistent/hostile",
    "SYSTEMD_BUS_TIMEOUT": "1us",
    "SYSTEMD_LOG_LEVEL": "debug",
    "SYSTEMD_LOG_TARGET": "console",
    "XDG_RUNTIME_DIR": "/nonexistent",
    "HOME": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "LC_ALL": "tr_TR.UTF-8",
    "LANGUAGE": "../../x",
    "TZ": "../../x",
    "STATE_DIRECTORY": "/nonexistent",
    "PEERAUTH_BUS": "unix:path=/nonexistent/hostile",
}


def test_hostile_environment_changes_nothing(host, peer):
    peer("pending", "approved")
    plain = host.start()
    assert plain.result() == PAM_SUCCESS
    hostile = host.start(env=HOSTILE)
    assert hostile.result() == PAM_SUCCESS
    assert hostile.texts() == plain.texts()
    assert hostile.log == plain.log


def test_environment_does_not_name_the_bus(host, peer):
    """The module goes to the fixed place, not to the bus that its caller would like (CVE-2019-3842's kin)."""
    peer("pending", "approved")
    host.stack(f"auth required {support.MODULE}")
    attempt = host.start(env={"DBUS_SYSTEM_BUS_ADDRESS": host.address}, service="one")
    assert attempt.result(30) != PAM_SUCCESS


def test_timeout_of_libsystemd_is_not_asked_for(host, peer):
    """SYSTEMD_BUS_TIMEOUT would end a wait of a second at once."""
    peer("late=1,pending", "late=1,approved")
    assert host.run(env={"SYSTEMD_BUS_TIMEOUT": "1ms"}) == PAM_SUCCESS


@pytest.mark.skipif(support.SANITIZED, reason="the preloaded library would meet the sanitizer's own calls")
def test_no_variable_is_asked_for(host, peer):
    """Neither by the module nor by libsystemd. A fault that is never met only arms the watch."""
    peer("pending", "approved")
    attempt = host.start("--first-fault=100000", "--last-fault=100000", preload=support.FAULTS)
    assert attempt.until("result")["result"] == PAM_SUCCESS
    attempt.process.wait(5)
    attempt.next()
    assert "login of" in attempt.log
    assert [line for line in attempt.log.splitlines() if line.startswith("GETENV")] == []


def test_threaded_host(host, peer):
    peer("pending", "approved")
    assert host.run("--threads", "--repeat=20") == PAM_SUCCESS


def test_host_that_closed_all_descriptors(host, peer):
    """The connection may get the numbers 0 and 2; nothing is written there but messages of the bus."""
    peer("pending", "approved")
    attempt = host.start("--close-all")
    assert attempt.result() == PAM_SUCCESS
    assert attempt.final["fds"] == 0


@pytest.mark.parametrize(
    "create, wait, code",
    [
        ("pending", "approved", PAM_SUCCESS),
        ("pending", "denied", PAM_PERM_DENIED),
        ("exempt", "denied", PAM_IGNORE),
        ("pending", "wrong-by", PAM_AUTHINFO_UNAVAIL),
        ("die", "denied", PAM_AUTHINFO_UNAVAIL),
    ],
)
def test_a_thousand_times_in_one_process(host, peer, create, wait, code):
    """dlopen, ask, dlclose: no descriptor and no memory stays (attack A10). The second half is measured."""
    peer(create, wait)
    # malloc's cache of freed blocks would count as memory in use.
    exact = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    attempt = host.direct("--repeat=1000", "--rhost=127.0.0.1", env=exact)
    assert attempt.result(120) == code
    assert attempt.final["fds"] == 0
    assert attempt.final["mask_kept"] is True
    if not support.SANITIZED:
        assert attempt.final["heap"] == 0
