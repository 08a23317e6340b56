"""A served world for each test of the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World, a_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server of its own."""
    with a_world(tmp_path) as found:
        yield found
