"""What needs root, and a data folder that everybody may pass through."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def as_root(require: Callable[[str, bool], None]) -> None:
    """What needs root is skipped elsewhere, and fails where nothing may be skipped."""
    require("root", os.geteuid() == 0)


@pytest.fixture
def data() -> Iterator[Path]:
    """An empty folder to which every user may come."""
    place = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgs-"))
    place.chmod(0o755)
    yield place / "data"
    shutil.rmtree(place)
