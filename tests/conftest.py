"""What all tests share: how a missing component is dealt with."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

# a busy machine is no reason to fail: figures belong to the bench
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")


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
