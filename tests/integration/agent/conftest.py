"""A server's data folder with a server and an agent."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.integration.agent.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world without an agent yet."""
    world = World()
    try:
        world.open()
        yield world
    finally:
        print(world.said())  # pytest shows it where the test failed
        world.close()


@pytest.fixture
def running(world: World) -> World:
    """A world with a running agent."""
    world.start_agent()
    return world


@pytest.fixture
def as_root() -> None:
    """What needs root is skipped elsewhere, and fails where nothing may be skipped."""
    if os.geteuid() == 0:
        return
    if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
        pytest.fail("this test needs root")
    pytest.skip("this test needs root")
