"""What all tests share: how a missing component is dealt with, and how workers share the tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.workers import OneStoryAtATime, give_way_to_stories
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tidegate.cli.loading import without_collecting

# a busy machine is no reason to fail: figures belong to the bench
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import all tests, and what they test, in half of the time."""
    with without_collecting():
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Share the tests by files, and the stories as one."""
    return OneStoryAtATime(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give way to who has less time."""
    give_way_to_stories(item)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have one test at a time on this machine use containers: two engines would give their networks the same bridge,
    which the first to end takes away from the other."""
    if "podman" not in getattr(item, "fixturenames", ()):
        yield
        return
    with (Path(tempfile.gettempdir()) / "tidegate-tests-with-containers").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def require() -> Callable[[str, bool], None]:
    """Skip, with a reason, where a component is missing; fail instead where everything has to be there."""

    def _require(component: str, present: bool) -> None:
        if present:
            return
        if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
            pytest.fail(f"{component} is missing, and TIDEGATE_TEST_REQUIRE_ALL=1 allows no skip")
        pytest.skip(f"{component} is not on this machine")

    return _require
