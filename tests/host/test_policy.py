# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules with real sessions: self-review, votes that lapse, keys that skip the code, polkit, reloads."""

import pathlib
import re

import evidence as e
import pytest
import workstation as w

RULES = pathlib.Path("/etc/polkit-1/rules.d/50-peerauth-reauthenticate.rules")
SAMPLE = pathlib.Path("/usr/share/doc/peerauth/50-peerauth-reauthenticate.rules.example")
HINT = "AuthenticationMethods publickey,keyboard-interactive"


def rule(**keys):
    return e.default_rule(**{"Reviewers": "peerauth-reviewers:1", **keys})


def lock(person, locked):
    path = f"/org/freedesktop/login1/session/_3{person.session[0]}{person.session[1:]}"
    output, status = person.run(f"busctl call org.freedesktop.login1 {path} org.freedesktop.login1.Session "
                                f"SetLockedHint b {'true' if locked else 'false'}")
    assert status == 0, output


# ---- self-review: only from a session that was itself approved ----


@pytest.fixture
def approved_session(policy, dave):
    """bob, in over ssh because dave approved it; RemoteReviewers lets a vote from there count."""
    policy(rule(SelfReview="yes", RemoteReviewers="yes"))
    terminal = e.half_authenticated("bob")
    assert dave.approve(terminal.request, terminal.code)[1] == 0
    person = e.Person("bob", terminal)
    yield person
    person.terminal.hang_up()


def test_self_review_from_an_approved_session(approved_session, ledger):
    again = e.half_authenticated("bob", options=["-o", "RemoteCommand=true"])
    output, status = approved_session.approve(again.request, again.code)
    assert status == 0, output
    assert e.ended(again) == 0
    assert ledger.kinds() == ["request-created", "self-vote", "decision"]
    assert ledger.entries("self-vote")[0]["person"] == "bob"


def test_self_review_not_from_a_session_that_nobody_approved(policy, ledger):
    """At the console bob is in by an exemption."""
    policy(rule(SelfReview="yes"))
    person = e.Person("bob")
    try:
        again = e.half_authenticated("bob")
        assert person.call_approve(again.request, again.code) == e.ERROR + "SelfReview"
        assert not ledger.entries("self-vote")
    finally:
        person.log_out()


def test_self_review_not_while_locked_nor_after_a_restart(approved_session, ledger):
    again = e.half_authenticated("bob")
    lock(approved_session, True)
    assert approved_session.call_approve(again.request, again.code) == e.ERROR + "SelfReview"
    lock(approved_session, False)
    w.run("systemctl", "restart", "peerauth-broker")
    w.wait_for("broker", e.broker_pid)
    later = e.half_authenticated("bob")
    assert approved_session.call_approve(later.request, later.code) == e.ERROR + "SelfReview"
    assert not ledger.entries("self-vote")


def test_self_review_not_from_the_session_that_asks(approved_session, ledger):
    """sudo in the approved session: the other session that it takes is not this one."""
    w.run("usermod", "--append", "--groups", "sudo", "bob")
    child = approved_session.terminal.child
    approved_session.terminal.send("sudo -k; sudo true")
    child.expect("password for bob: ")
    approved_session.terminal.send(w.PASSWORD)
    child.expect(e.w.CODE)
    code = child.match.group(1).replace(" ", "")
    request = w.wait_for("the request of sudo", lambda: [r for r in w.pending() if r["service"] == "sudo"])[0]
    # By a process of the same session.
    scope = pathlib.Path(f"/sys/fs/cgroup/user.slice/user-{w.run('id', '-u', 'bob').stdout.strip()}.slice/"
                         f"session-{approved_session.session}.scope/cgroup.procs")
    answer = w.run("sh", "-c", f"echo $$ > {scope}; exec setpriv --reuid bob --regid bob --init-groups bus-call "
                   f"Reviewer Approve 'sssa{{sv}}' '[\"{request['id']}\", \"{code}\", \"\", {{}}]'", check=False)
    assert "SelfReview" in answer.stdout, answer
    child.sendintr()
    child.expect_exact("bob$ ")
    assert not ledger.entries("self-vote")


# ---- attack B12 ----


def test_a_reviewer_who_locks_the_screen_takes_the_vote_back(policy, bob, carol, ledger):
    policy(rule(Reviewers="peerauth-reviewers:2"))
    alice = e.half_authenticated()
    assert bob.approve("alice", alice.code)[1] == 0
    lock(bob, True)
    try:
        output, status = carol.approve("alice", alice.code)
        assert status == 0 and "1 more needed" in output
        assert alice.child.isalive() and ledger.kinds() == ["request-created", "vote", "vote-void", "vote"]
    finally:
        lock(bob, False)
    assert bob.approve("alice", alice.code)[1] == 0
    w.wait_for("decision", lambda: ledger.entries("decision"))
    assert sorted(ledger.entries("decision")[0]["by"]) == ["bob", "carol"]


def test_a_reviewer_who_leaves_the_group_takes_the_vote_back(policy, bob, carol, ledger):
    policy(rule(Reviewers="peerauth-reviewers:2"))
    alice = e.half_authenticated()
    assert bob.approve("alice", alice.code)[1] == 0
    w.run("gpasswd", "--delete", "bob", "peerauth-reviewers")
    try:
        assert carol.approve("alice", alice.code)[1] == 0
        assert "vote-void" in ledger.kinds() and not ledger.entries("decision")
    finally:
        w.run("gpasswd", "--add", "bob", "peerauth-reviewers")


# ---- attack A13: keys ----


@pytest.fixture
def key(host):
    """alice's key; returns what ssh needs to use it."""
    path = pathlib.Path("/run/alice-key")
    if not path.exists():
        w.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
        folder = pathlib.Path("/home/alice/.ssh")
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "authorized_keys").write_text(path.with_suffix(".pub").read_text())
        w.run("chown", "-R", "alice:alice", str(folder))
    return ["-i", str(path), "-o", "IdentitiesOnly=yes"]


def ssh_with_key(key, *options):
    return w.run("ssh", "-p", str(w.SSH_PORT), "-o", f"UserKnownHostsFile={w.KNOWN_HOSTS}", "-o", "BatchMode=yes", *key,
                 *options, "alice@127.0.0.1", "id -un", check=False)


def test_a_key_alone_is_refused_with_the_hint(policy, key, ledger, journal):
    policy(rule())
    answer = ssh_with_key(key)
    assert answer.returncode == e.SSH_FAILED and "alice\n" not in answer.stdout
    refused = ledger.wait("refused")
    assert (refused["user"], refused["service"]) == ("alice", "sshd") and HINT in refused["reason"]
    journal.wait("pam_peerauth(sshd:account)", HINT)


def test_a_key_is_let_in_by_rule(policy, key, ledger):
    policy("[Rule alices-key]\nService=sshd\nUser=alice\nAction=exempt\n" + rule())
    answer = ssh_with_key(key)
    assert (answer.returncode, answer.stdout) == (0, "alice\n"), answer.stderr
    assert not ledger.entries("refused")


def test_a_key_and_the_code(policy, key, sshd_settings, dave, ledger):
    policy(rule())
    sshd_settings("AuthenticationMethods publickey,keyboard-interactive")
    alice = e.half_authenticated(options=[*key, "-o", "RemoteCommand=id -un"])
    assert dave.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0 and "\nalice\n" in e.screen(alice)
    assert ledger.kinds() == ["request-created", "vote", "decision"]


def test_jobs_and_root_go_on_without_the_broker(host):
    """The account line stands in common-account, which cron and systemd-user include; and root's own su."""
    w.run("systemctl", "stop", "peerauth-broker")
    w.run("systemctl", "mask", "--runtime", "peerauth-broker")
    try:
        assert w.run("su", "-", "erin", "-c", "id -un", check=False).stdout == "erin\n"
        assert w.run("runuser", "-u", "erin", "--", "id", "-un", check=False).stdout == "erin\n"
        started = w.run("systemctl", "start", f"user@{w.run('id', '-u', 'erin').stdout.strip()}.service", check=False)
        assert started.returncode == 0, started.stderr
    finally:
        w.run("systemctl", "unmask", "--runtime", "peerauth-broker")
        w.run("systemctl", "start", "peerauth-broker")
        w.run("systemctl", "stop", f"user@{w.run('id', '-u', 'erin').stdout.strip()}.service", check=False)


# ---- polkit ----


@pytest.fixture
def authenticate_again(host):
    """The sample rule as it is shipped."""
    RULES.parent.mkdir(parents=True, exist_ok=True)
    RULES.write_text(SAMPLE.read_text())
    restart_polkit()
    yield
    RULES.unlink()
    restart_polkit()


def restart_polkit():
    w.run("systemctl", "reset-failed", "polkit", check=False)
    w.run("systemctl", "restart", "polkit")


def approve_with_password(person, request, code, password):
    """Types the code, then the password that pkttyagent asks for; output and exit status."""
    child = person.terminal.child
    person.terminal.send(f"peerauthctl approve {request}; echo end-of-command=$?")
    child.expect("Code that [^\r\n]* told you: ")
    person.terminal.send(code)
    child.expect("(?s)^(.*?)Password: ")
    shown = child.match.group(1)
    person.terminal.send(password)
    child.expect(r"(?s)^(.*?)end-of-command=(\d+)\r\n")
    output, status = shown + child.match.group(1), int(child.match.group(2))
    child.expect_exact(f"{person.name}$ ")
    return output, status


def test_a_reviewer_authenticates_again_at_the_console(policy, authenticate_again, bob, ledger):
    policy(rule())
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    output, status = approve_with_password(bob, "alice", alice.code, w.PASSWORD)
    assert status == 0 and "Authentication is required to approve" in output, output
    assert e.ended(alice) == 0 and ledger.kinds() == ["request-created", "vote", "decision"]


def test_an_administrator_authenticates_again_over_ssh(policy, authenticate_again, ledger):
    policy("[Rule dave]\nService=sshd\nUser=dave\nAction=exempt\n" + rule())
    person = e.Person("dave", w.ssh("dave"))
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    output, status = approve_with_password(person, "alice", alice.code, w.PASSWORD)
    assert status == 0, output
    assert e.ended(alice) == 0
    person.terminal.hang_up()


def test_a_wrong_password_decides_nothing(policy, authenticate_again, bob, ledger):
    policy(rule())
    alice = e.half_authenticated()
    child = bob.terminal.child
    bob.terminal.send("peerauthctl approve alice; echo end-of-command=$?")
    child.expect("Code that [^\r\n]* told you: ")
    bob.terminal.send(alice.code)
    for _ in range(3):
        if child.expect(["Password: ", r"end-of-command=(\d+)\r\n"], timeout=30) == 1:
            break
        bob.terminal.send("wrong")
    else:
        child.expect(r"end-of-command=(\d+)\r\n", timeout=30)
    assert int(child.match.group(1)) not in (0,)
    child.expect_exact("bob$ ")
    assert alice.child.isalive() and ledger.kinds() == ["request-created"]


def test_a_program_that_cannot_ask_is_told_so(policy, authenticate_again, bob, ledger):
    policy(rule())
    alice = e.half_authenticated()
    assert bob.call_approve(alice.request, alice.code) == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
    assert bob.call("Deny", "ssa{sv}", alice.request, "", {}) == ["denied", 0], "denial takes no password"
    assert e.ended(alice) == e.SSH_FAILED


def test_without_the_polkit_that_is_installed_nobody_approves(policy, bob, ledger):
    policy(rule())
    alice = e.half_authenticated(options=["-o", "RemoteCommand=true"])
    w.run("systemctl", "stop", "polkit")
    w.run("systemctl", "mask", "--runtime", "polkit")
    try:
        assert bob.call_approve(alice.request, alice.code) == "org.freedesktop.DBus.Error.AccessDenied"
        assert ledger.kinds() == ["request-created"]
    finally:
        w.run("systemctl", "unmask", "--runtime", "polkit")
    assert bob.approve("alice", alice.code)[1] == 0
    assert e.ended(alice) == 0


# ---- a changed policy ----


def test_peerauthctl_reloads_and_says_where_a_mistake_is(policy, ledger):
    policy(rule())
    path = pathlib.Path("/etc/peerauth/peerauth.conf")
    good = path.read_text()
    path.write_text(good + "Wenn=nobody\n")
    answer = w.run("peerauthctl", "policy", "reload", check=False)
    line = len(good.splitlines()) + 1
    assert answer.returncode == 1 and re.search(rf"/etc/peerauth/peerauth\.conf:{line}: unknown key 'Wenn'", answer.stderr)
    assert ":%d: unknown key" % line in w.run("peerauthctl", "status", check=False).stdout
    path.write_text(good + "Expires=2min\n")
    assert w.run("peerauthctl", "policy", "reload").returncode == 0
    changed = ledger.entries("policy-changed")[-1]
    assert len(changed["policy"]) == 64 and changed["policy"] != changed["previous"]
