# SPDX-License-Identifier: LGPL-2.1-or-later
"""One bus with a logind for all; the accounts and the files of each policy when its tests come."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import peerauth_bus as bus  # noqa: E402  the line above makes it importable
import expected  # noqa: E402

WORK = pathlib.Path(os.environ["PEERAUTH_WORK"])
# The groups that are made when peerauth is installed.
OURS = {"peerauth-reviewers": [], "peerauth-admins": [], "peerauth-auditors": []}
FIRST_ID = 64500
PEOPLE_WITHOUT_GROUPS = {"dora": []}


class System(bus.System):
    """Nobody is logged in unless a test says so, and no broker runs."""

    SESSIONS = ()

    def present(self, people):
        """Exactly these are logged in; see tests/policies/run for the words."""
        for session in list(self.logind.sessions):
            self.logind.remove(session)
        for person in people:
            name, _, how = person.partition("@")
            self.logind.add(name, Remote=how == "remote", LockedHint=how == "locked")


@pytest.fixture(scope="session")
def system():
    folder = WORK / "bus"
    folder.mkdir()
    system = System(folder)
    yield system
    system.stop()


def make_accounts(people):
    """Exactly these, beside those of the machine."""
    groups = {name: list(members) for name, members in OURS.items()}
    lines = []
    for number, (name, memberships) in enumerate(people.items(), FIRST_ID):
        lines.append(f"{name}:x:{number}:{number}::/nonexistent:/bin/sh\n")
        for group in memberships:
            groups.setdefault(group, []).append(name)
    named = [f"{name}:x:{number}:{','.join(members)}\n" for number, (name, members) in
             enumerate(groups.items(), FIRST_ID + 200)]
    # In place: the files are mounted over the machine's.
    (WORK / "passwd").write_text(without(WORK / "passwd.base", people) + "".join(lines))
    (WORK / "group").write_text(without(WORK / "group.base", groups) + "".join(named))


def without(path, names):
    """The lines that are about other names."""
    return "".join(line for line in path.read_text().splitlines(keepends=True) if line.split(":")[0] not in names)


@pytest.fixture(scope="module")
def accounts():
    """Puts the accounts of a policy in force; asked again for the same it does nothing."""
    current = []

    def switch(policy):
        if current != [policy]:
            make_accounts(PEOPLE_WITHOUT_GROUPS if policy == "no-groups" else expected.ALL[policy].people)
            current[:] = [policy]

    return switch
