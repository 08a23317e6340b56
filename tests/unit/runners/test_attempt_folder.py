"""What is read of files that a command's user may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.runners.attempt_folder import exit_status, mark_of, read_lines


@pytest.mark.parametrize("text", ["", "7", "seven\n", "-1\n", "1234\n", "7\n8\n", "٧\n", "\0\n", "9" * 100_000])
def test_what_is_no_status_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "exit").write_text(text)
    assert exit_status(str(tmp_path)) is None


def test_a_status_counts_when_its_line_is_whole(tmp_path: Path) -> None:
    assert exit_status(str(tmp_path)) is None
    (tmp_path / "exit").write_text("143\n")
    ended = exit_status(str(tmp_path))
    assert ended is not None
    assert ended.exit_code == 143


def test_little_is_read_of_a_file_without_end(tmp_path: Path) -> None:
    (tmp_path / "progress").write_bytes(b"begun\n" * 10_000 + b"\xff")
    assert read_lines(tmp_path / "progress").split() == ["begun"] * 10


def test_no_two_folders_have_one_mark(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "s.1.1", tmp_path / "b" / "s.1.1"
    assert mark_of(one).startswith("s.1.1-")
    assert mark_of(one) != mark_of(other)
    assert mark_of(str(one)) == mark_of(one)
