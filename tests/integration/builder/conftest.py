"""Working trees in temporary folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from .tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A repository without a commit and without steps, and a cache that is empty."""
    made = Tree(tmp_path / "repo", tmp_path / "cache")
    made.folder.mkdir()
    made.git("init", "--quiet", "--initial-branch", "main")
    return made
