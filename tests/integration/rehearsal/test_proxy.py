"""Instances are run behind a proxy by a Python that their user can run, wherever Tidegate's own is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tidegate.rehearsal.proxy import reachable


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """A program in a folder of one user, and a link to it from outside."""
    (tmp_path / "own").mkdir(mode=0o700)
    program = tmp_path / "own" / "python3"
    program.touch(mode=0o755)
    return program


def test_a_program_in_a_shut_folder_is_not_for_others_and_no_link_to_it_is(shut: Path) -> None:
    with tempfile.TemporaryDirectory() as outside:
        Path(outside).chmod(0o755)
        link = Path(outside) / "python"
        link.symlink_to(shut)
        assert reachable([str(link)]) is None
        link.unlink()
        link.symlink_to("/bin/sh")
        assert reachable([str(link)]) == str(link)
    assert reachable([str(shut), "/bin/sh"]) == "/bin/sh"
