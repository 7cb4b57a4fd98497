# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: a private bus with the rules of a system bus, and a program that asks PAM."""

import pytest

import support


@pytest.fixture
def bus(tmp_path):
    """A message bus of its own; its policy is the shipped one plus the right to own names as root."""
    with support.Bus(tmp_path) as running:
        yield running


@pytest.fixture
def host(bus, tmp_path):
    """Starts the host program with the built module, whose stack names this bus."""
    starter = support.Host(bus, tmp_path)
    yield starter
    starter.stop()


@pytest.fixture
def peer(bus):
    """Starts hostile owners of the broker's name."""
    started = []

    def start(*arguments):
        process = support.start_peer(bus, *arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        support.end(process)


@pytest.fixture
def broker(bus, tmp_path):
    """The real broker, with a logind that knows one local session of each account in REVIEWERS."""
    with support.Broker(bus, tmp_path) as running:
        yield running
