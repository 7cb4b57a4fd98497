# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test has a bus, a logind, a broker and a ledger of its own."""

import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import peerauth_bus as bus  # noqa: E402  the line above makes it importable


@pytest.fixture
def host(request):
    """Bus and logind; the test starts the broker as it needs it."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40]
    folder = pathlib.Path(os.environ["PEERAUTH_WORK"]) / f"{name}-{os.urandom(2).hex()}"
    folder.mkdir(mode=0o755)
    system = bus.System(folder)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def system(host):
    """And the broker, under bus.RULES."""
    host.start_broker()
    return host
