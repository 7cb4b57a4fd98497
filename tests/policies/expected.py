# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the .expected files; tests/policies/run describes them. Strict: a line that is not understood is an error."""
import dataclasses
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[2]
POLICIES = TOP / "docs/policies"
VENDOR = TOP / "packaging/peerauth.conf"
STEPS = ("uncomment", "require", "delete")


@dataclasses.dataclass
class Row:
    """One login and what becomes of it."""

    policy: str
    line: int
    steps: tuple
    user: str
    service: str
    tty: str
    rhost: str
    time: str
    stage: str
    present: list
    rule: str
    action: str
    outcome: str
    approvers: set
    quorum: str

    def __str__(self):
        return f"{self.policy}:{self.line}"


@dataclasses.dataclass
class Expected:
    policy: str
    people: dict
    rows: list


def words(cell):
    """The words of a cell; "-" is none."""
    return [] if cell.split() == ["-"] else cell.split()


def read_row(policy, line, steps, text):
    cells = [cell.strip() for cell in text.split("|")]
    assert len(cells) == 6, f"{policy}:{line}: 6 cells, not {len(cells)}"
    user, service, tty, rhost = cells[0].split()
    rule, action, outcome = cells[4].split()
    *approvers, quorum = cells[5].split()
    assert outcome in ("held", "passes", "denied", "ignored") and quorum in ("yes", "no", "later", "-"), (policy, line)
    return Row(policy, line, steps, user, service, tty, rhost, cells[1], cells[2], words(cells[3]), rule, action,
               outcome, set(approvers) - {"-"}, quorum)


def read(path):
    expected, steps = Expected(path.stem, {}, []), ()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        verb = line.split()[:1]
        if not verb or line.startswith("#"):
            continue
        if verb == ["person"]:
            expected.people[line.split()[1]] = line.split()[2:]
        elif verb == ["step"]:
            steps += (line.split()[1],)
            assert steps[-1] in STEPS, (path, number)
        else:
            expected.rows.append(read_row(path.stem, number, steps, line))
    return expected


ALL = {path.stem: read(path) for path in sorted(pathlib.Path(__file__).parent.glob("*.expected"))}


def policy_text(policy, steps=()):
    """The file, after what its comments let an administrator do to it; None: deleted."""
    text = (POLICIES / f"{policy}.conf").read_text()
    for step in steps:
        if step == "uncomment":
            text = "".join(line[1:] if line[0] == "#" and line[1:2].isupper() or line.startswith("#[") else line
                           for line in text.splitlines(keepends=True))
        elif step == "require":
            assert text.count("Action=monitor") == 1
            text = text.replace("Action=monitor", "Action=require")
    return None if "delete" in steps else text
