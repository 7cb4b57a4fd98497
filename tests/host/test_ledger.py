# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ledger of a real login: exported, verified, and tampered with."""

import base64
import hashlib
import json
import pathlib
import re
import shutil
import sqlite3

import evidence as e
import pytest
import workstation as w


@pytest.fixture(scope="module")
def export(host, desk, tmp_path_factory):
    """An export after a denied and an approved login."""
    for decide in ("deny", "approve"):
        alice = e.half_authenticated()
        if decide == "approve":
            assert desk("dave").approve("alice", alice.code)[1] == 0
            alice.hang_up()
        else:
            assert desk("dave").deny("alice", note="no")[1] == 0
            e.ended(alice)
    w.wait_for("no request waits", lambda: not w.pending())
    path = tmp_path_factory.mktemp("export") / "ledger.db"
    w.run("peerauthctl", "ledger", "export", "--output", str(path))
    return path


def verify(path, *options):
    return w.run("peerauthctl", "ledger", "verify", str(path), *options, check=False)


@pytest.mark.parametrize("form", ["sqlite", "jsonl"])
def test_two_exports_are_the_same_bytes(export, tmp_path, form):
    names = [tmp_path / "one", tmp_path / "two"]
    for name in names:
        w.run("peerauthctl", "ledger", "export", f"--format={form}", "--output", str(name))
    for suffix in ("", ".checkpoint", ".vkey"):
        first, second = (pathlib.Path(f"{name}{suffix}").read_bytes() for name in names)
        assert first == second and first, suffix
    w.run("sh", "-c", f"cd {tmp_path} && sha256sum --check one.sha256 two.sha256")


def test_export_verifies(export):
    result = verify(export)
    assert result.returncode == 0, result.stderr
    assert verify(export, "--vkey", str(export) + ".vkey").returncode == 0


def leaf_to_root(leaves):
    """RFC 6962, section 2.1, as it stands there."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + leaf_to_root(leaves[:k]) + leaf_to_root(leaves[k:])).digest()


def test_checkpoint_covers_the_lines_as_rfc_6962_says(export, tmp_path):
    """Attack L8: worked out here, from the exported text alone."""
    path = tmp_path / "ledger.jsonl"
    w.run("peerauthctl", "ledger", "export", "--format=jsonl", "--output", str(path))
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    origin, size, root = pathlib.Path(f"{path}.checkpoint").read_text().split("\n")[:3]
    assert int(size) == len(lines) and base64.b64decode(root) == leaf_to_root(lines)
    assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))
    assert re.fullmatch(r"\S+/peerauth/[0-9a-f]+/\d+", origin)


def tampered(export, tmp_path, sql, *arguments):
    """A copy that somebody with SQLite changed, and put the triggers back."""
    copy = tmp_path / f"tampered-{export.stem}.db"
    for suffix in ("", ".checkpoint", ".vkey"):
        shutil.copy(f"{export}{suffix}", f"{copy}{suffix}")
    with sqlite3.connect(copy) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        assert db.execute(sql, arguments).rowcount >= 1
        for _, text in triggers:
            db.execute(text)
    return copy


def index_of(kind, outcome):
    lines = w.run("peerauthctl", "ledger", "export", "--format=jsonl", "--output", "-").stdout.splitlines()
    return [i for i, line in enumerate(map(json.loads, lines)) if (line["kind"], line.get("outcome")) == (kind, outcome)]


@pytest.mark.parametrize("repair", [False, True], ids=["the text alone", "with its hash"])
def test_changed_entry_is_named(export, tmp_path, repair):
    """Attack L1: a denial becomes an approval."""
    index = index_of("decision", "denied")[0]
    copy = tampered(export, tmp_path, "UPDATE entry SET body = replace(body, '\"denied\"', '\"approved\"') WHERE idx = ?",
                    index)
    if repair:
        with sqlite3.connect(copy) as db:
            body = db.execute("SELECT body FROM entry WHERE idx = ?", (index,)).fetchone()[0]
        copy = tampered(copy, tmp_path, "UPDATE entry SET leaf = ? WHERE idx = ?",
                        hashlib.sha256(b"\0" + body.encode()).digest(), index)
    result = verify(copy)
    assert result.returncode == 5
    pair = f"entries {index & ~1} to {index | 1} do not hash"
    assert (pair if repair else f"entry {index}:") in result.stderr, result.stderr


def test_removed_last_entry_is_missed(export, tmp_path):
    """Attack L3."""
    copy = tampered(export, tmp_path, "DELETE FROM entry WHERE idx = (SELECT max(idx) FROM entry)")
    assert verify(copy).returncode == 5


def test_older_export_with_its_own_checkpoint_is_missed(host, dave, export, tmp_path):
    """Attack L3: both are genuine, but the checkpoint that was kept elsewhere is newer."""
    alice = e.half_authenticated()
    assert dave.deny("alice")[1] == 0
    e.ended(alice)
    kept = tmp_path / "kept"
    kept.write_text(w.run("peerauthctl", "ledger", "checkpoint").stdout)
    result = verify(export, "--checkpoint", str(kept))
    assert result.returncode == 5, result.stderr
    assert w.run("peerauthctl", "ledger", "verify", "--checkpoint", str(kept)).returncode == 0


def test_database_refuses_changes(host):
    """Attack L6: by root, through SQLite, in the living database."""
    db = sqlite3.connect("file:/var/lib/peerauth/ledger.db?mode=rw", uri=True)
    before = db.execute("SELECT count(*) FROM entry").fetchone()
    for sql in ("UPDATE entry SET body = 'x'", "DELETE FROM entry"):
        with pytest.raises(sqlite3.DatabaseError):
            db.execute(sql)
        db.rollback()
    assert db.execute("SELECT count(*) FROM entry").fetchone() == before
    db.close()
    assert w.run("peerauthctl", "ledger", "verify").returncode == 0
