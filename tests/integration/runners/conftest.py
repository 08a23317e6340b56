"""A short folder that every user may pass through; and a real container engine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.containers import busybox_image, podman, postgres_image

__all__ = ["busybox_image", "podman", "postgres_image"]


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgr-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_root() -> None:
    """What needs root is skipped elsewhere, and fails where nothing may be skipped."""
    if os.geteuid() == 0:
        return
    if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
        pytest.fail("this test needs root")
    pytest.skip("this test needs root")
