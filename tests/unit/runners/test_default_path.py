"""The PATH of steps: the agent's own, without what another user may not enter."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.runners.process import DEFAULT_PATH, default_path


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with an open and a shut one in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "open").mkdir()
        (place / "shut" / "bin").mkdir(parents=True)
        (place / "shut").chmod(0o700)
        yield place


def test_the_agents_own_user_finds_what_the_agent_finds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{place}/shut/bin:/usr/bin:relative")
    assert default_path(None) == f"{place}/shut/bin:/usr/bin:relative"


def test_another_user_finds_only_folders_that_it_may_enter(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{place}/shut/bin:{place}/open:relative::{place}/none:{place}/shut:/usr/bin")
    assert default_path(54321) == f"{place}/open:/usr/bin"


@pytest.mark.parametrize("path", ["", "/root-only-and-not-there", "."])
def test_where_nothing_is_left_the_usual_folders_are_taken(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path)
    assert default_path(54321) == DEFAULT_PATH


def test_without_a_path_there_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert default_path(None) == DEFAULT_PATH
