# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: a private bus with or without the real broker, and a program that asks PAM."""

import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import peerauth_bus  # noqa: E402  the line above makes it importable
import support  # noqa: E402


@pytest.fixture
def folder(request):
    """A folder that the accounts of the tests can reach."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40]
    path = support.WORK / f"{name}-{os.urandom(4).hex()}"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def bus(folder):
    """A message bus with the shipped policy, and a logind; no broker yet."""
    system = peerauth_bus.System(folder)
    yield system
    system.stop()


@pytest.fixture
def broker(bus):
    """The same with the real broker."""
    bus.start_broker(rules=support.RULES)
    return bus


@pytest.fixture
def host(bus, folder):
    """Starts the host program with the built module, whose stack names this bus."""
    starter = support.Host(bus, folder)
    yield starter
    starter.stop()


@pytest.fixture
def peer(bus):
    """Starts hostile owners of the broker's name."""
    started = []

    def start(*arguments):
        started.append(support.start_peer(bus, *arguments))
        return started[-1]

    yield start
    for process in started:
        support.end(process)
