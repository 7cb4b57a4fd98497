# SPDX-License-Identifier: LGPL-2.1-or-later
"""The display serves all tests; buses, broker, dunst and notifier are new for each."""
import itertools
import re

import pytest

import desktop


NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def display():
    display = desktop.Display()
    yield display
    display.stop()


@pytest.fixture
def bare(display, request):
    """A desktop without notification server and notifier."""
    name = f"{next(NUMBERS):02}-" + re.sub("[^a-z0-9]+", "-", request.node.name)[:40]
    policy = desktop.OPEN_POLICY if request.node.get_closest_marker("open_bus") else desktop.PACKAGED_POLICY
    system = desktop.System(name, policy)
    try:
        place = desktop.Desktop(name, display, system)
        try:
            yield place
        finally:
            place.stop()
    finally:
        system.stop()


@pytest.fixture
def desk(bare):
    """dunst and the notifier run; Later is short."""
    bare.start_dunst()
    bare.start_notifier("--later=3")
    return bare


def pytest_configure(config):
    config.addinivalue_line("markers", "open_bus: the system bus lets everybody send signals")
