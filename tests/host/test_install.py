# SPDX-License-Identifier: LGPL-2.1-or-later
"""Installing changes no login, enabling does, removing gives everything back. On a host of its own."""

import hashlib
import os
import pathlib
import subprocess

import evidence as e
import pytest
import workstation as w


@pytest.fixture(scope="module")
def installed():
    """The packages' files are there, and nobody enabled anything."""
    assert pathlib.Path("/run/peerauth-host").exists(), "only inside a disposable host: tests/host/check"
    w.add_people()
    w.start_sshd()


def stacks():
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path("/etc/pam.d").iterdir()}


def gets_in_unheld():
    for start in (w.login, w.ssh):
        alice = start("alice")
        alice.expect(r"alice\$ ")
        alice.hang_up()
    return True


def test_installing_changes_no_login(installed):
    before = stacks()
    assert not any("peerauth" in path.read_text() for path in pathlib.Path("/etc/pam.d").iterdir())
    w.run("pam-auth-update", "--package")  # what a package's postinst does
    assert stacks() == before, "the profile is off until an administrator turns it on"
    assert gets_in_unheld()


def test_enabling_and_removing(installed):
    before = stacks()
    w.run("pam-auth-update", "--package", "--enable", "peerauth", "peerauth-session")
    changed = {name for name, digest in stacks().items() if before.get(name) != digest}
    assert changed == {"common-auth", "common-account", "common-session"}
    alice = e.half_authenticated()
    w.run("pam-auth-update", "--package", "--remove", "peerauth", "peerauth-session")
    assert stacks() == before
    assert gets_in_unheld()
    alice.hang_up()


def test_removed_files_do_not_lock_anybody_out_once_the_profile_is_off(installed):
    """Attack R3: the order in which a package is removed."""
    w.run("pam-auth-update", "--package", "--enable", "peerauth")
    w.run("pam-auth-update", "--package", "--remove", "peerauth")
    module = pathlib.Path(w.run("sh", "-c", "echo /usr/lib/*/security/pam_peerauth.so").stdout.strip())
    w.run("systemctl", "stop", "peerauth-broker")
    module.rename(f"{module}.away")
    assert gets_in_unheld()
    pathlib.Path(f"{module}.away").rename(module)


def test_missing_module_lets_nobody_in(installed):
    """Attack R3: the file is gone while the stacks still name it."""
    w.run("pam-auth-update", "--package", "--enable", "peerauth")
    module = pathlib.Path(w.run("sh", "-c", "echo /usr/lib/*/security/pam_peerauth.so").stdout.strip())
    module.rename(f"{module}.away")
    try:
        alice = w.ssh("alice")
        assert e.ended(alice) == e.SSH_FAILED
    finally:
        pathlib.Path(f"{module}.away").rename(module)
        w.run("pam-auth-update", "--package", "--remove", "peerauth")
    assert gets_in_unheld()


def test_jobs_and_helpers_are_not_held(installed):
    """Exempt as shipped: what includes common-auth and is no login must go on without a person."""
    w.run("pam-auth-update", "--package", "--enable", "peerauth")
    try:
        assert w.run("runuser", "-u", "alice", "--", "id", "-un").stdout == "alice\n"
        assert w.run("runuser", "-l", "alice", "-c", "id -un").stdout == "alice\n"
        assert w.run("su", "alice", "-c", "id -un").stdout == "alice\n", "root needs no password, and no approval"
        assert w.run("chpasswd", stdin=f"alice:{w.PASSWORD}\n").returncode == 0
        with subprocess.Popen(["su", "alice", "-c", "chsh -s /bin/sh"], stdin=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE) as chsh:
            chsh.communicate(w.PASSWORD + "\n", timeout=20)
        assert chsh.returncode == 0 and not w.pending()
        w.run("chsh", "-s", "/bin/bash", "alice")
    finally:
        w.run("pam-auth-update", "--package", "--remove", "peerauth")


def test_nobody_is_a_reviewer_as_installed():
    for group in ("peerauth-reviewers", "peerauth-admins", "peerauth-auditors"):
        assert w.run("getent", "group", group).stdout.split(":")[0] == group
    own = pathlib.Path("/usr/lib/peerauth/peerauth.conf")
    assert (own.stat().st_uid, own.stat().st_mode & 0o7777) == (0, 0o644)


@pytest.mark.parametrize("path", ["/usr/libexec/peerauth/peerauth-broker", "/usr/bin/peerauthctl",
                                  "/usr/libexec/peerauth/peerauth-notifier"])
def test_programs_have_no_special_rights(path):
    status = pathlib.Path(path).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o755)
    assert "security.capability" not in os.listxattr(path)
