"""Files that hold a token or a key: made once, for the server's own user, whole or not at all."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.integration.artifacts.children import KILLED, as_a_stranger, in_a_child

from tidegate.security.private_file import read_or_create
from tidegate.security.tokens import ensure_token


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "admin-token"


def test_the_text_is_made_once_and_the_same_ever_after(file: Path) -> None:
    assert read_or_create(file, lambda: "first") == "first"
    assert read_or_create(file, lambda: "second") == "first"
    assert file.read_text() == "first\n"
    assert list(file.parent.iterdir()) == [file]


def test_a_token_is_long_and_never_the_same(file: Path) -> None:
    token = ensure_token(file)
    assert len(token) >= 43  # 32 random bytes
    assert ensure_token(file) == token
    assert ensure_token(file.with_name("agent-token")) != token


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_own_user_may_read_it_whatever_the_umask_is(file: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        read_or_create(file, lambda: "secret")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o666])
def test_others_lose_the_right_to_read_a_file_that_was_there_before(file: Path, mode: int) -> None:
    file.parent.mkdir()
    file.write_text(" written by hand \n\n")
    file.chmod(mode)
    assert read_or_create(file, lambda: "another") == "written by hand"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_may_not_be_read_is_an_error_and_is_not_replaced(data: Path, as_root: None) -> None:
    file = data / "admin-token"
    read_or_create(file, lambda: "secret")
    said = as_a_stranger(lambda: read_or_create(file, lambda: "another"))
    assert "PermissionError" in said
    assert file.read_text() == "secret\n"


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_an_empty_file_is_named_with_the_remedy_and_left_alone(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(ValueError, match=f"{file} is empty; remove it, and a new one is made"):
        read_or_create(file, lambda: "secret")
    assert file.read_text() == content


def test_all_who_make_it_at_once_get_the_same(file: Path) -> None:
    together = Barrier(8, timeout=20)

    def _make(number: int) -> str:
        together.wait()
        return f"made by {number}"

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda number: read_or_create(file, lambda: _make(number)), range(8)))
    assert found == {file.read_text().strip()}
    assert list(file.parent.iterdir()) == [file]


def test_who_is_killed_while_making_it_leaves_none_and_the_next_one_makes_it(file: Path) -> None:
    def _killed() -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"

    assert in_a_child(lambda: read_or_create(file, _killed)) == KILLED
    assert not file.exists()
    assert read_or_create(file, lambda: "secret") == "secret"
