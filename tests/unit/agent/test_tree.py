"""What a step did to its checkout: every change is seen, also one that tries to hide, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.api.world import eventually

from tidegate.agent.tree import Difference, last_change, survey

PATHS = st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join), max_size=10)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree whose files were all written before the file system's clock last went on."""
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "src" / "shop.py").write_text("print('shop')\n")
    (tree / "link").symlink_to("src")
    (tree / ".git" / "objects" / "ab").mkdir(parents=True)
    (tree / ".git" / "hooks").mkdir()
    (tree / ".git" / "index").write_bytes(b"index")
    written = last_change(survey(tree))
    eventually(lambda: _time_in(tmp_path) > written, "a later time")
    return tree


def _time_in(folder: Path) -> int:
    """What the clock of the file system says."""
    (folder / "clock").touch()
    return (folder / "clock").stat().st_ctime_ns


def changed(tree: Path, act: Callable[[Path], object]) -> Difference:
    before = survey(tree)
    act(tree)
    return Difference.between(before, survey(tree))


def _hide(tree: Path) -> None:
    file = tree / "src" / "shop.py"
    before = file.stat()
    file.write_text("print('evil')\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("act", "altered"),
    [
        (lambda tree: (tree / "src" / "shop.py").write_text("print('more')\n"), {"src/shop.py"}),
        (_hide, {"src/shop.py"}),
        (lambda tree: (tree / "src" / "shop.py").chmod(0o755), {"src/shop.py"}),
        (lambda tree: (tree / "src" / "shop.py").unlink(), {"src/shop.py"}),
        (lambda tree: (tree / "src").chmod(0o700), {"src"}),
        (lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("/nowhere")), {"link"}),
        (lambda tree: (tree / ".git" / "index").write_bytes(b"other"), {".git/index"}),
    ],
    ids=["content", "hidden", "mode", "removed", "folder's mode", "link", "index"],
)
def test_a_changed_path_is_seen_even_where_its_size_and_time_were_put_back(
    tree: Path, act: Callable[[Path], object], altered: set[str]
) -> None:
    difference = changed(tree, act)
    assert difference == Difference(frozenset(), frozenset(altered))
    assert not difference.is_empty
    assert not difference.touches_git


def test_what_is_new_is_removed_at_its_root(tree: Path) -> None:
    def _build(tree: Path) -> None:
        (tree / "dist" / "inner").mkdir(parents=True)
        (tree / "dist" / "inner" / "shop.whl").write_bytes(b"")
        (tree / "src" / "shop.pyc").write_bytes(b"")

    difference = changed(tree, _build)
    assert difference.added_roots == ["dist", "src/shop.pyc"]
    assert not difference.touches_git


def test_what_git_only_adds_to_is_no_change(tree: Path) -> None:
    assert changed(tree, lambda tree: (tree / ".git" / "objects" / "ab" / "cd").write_bytes(b"x")).is_empty


@pytest.mark.parametrize("name", ["hooks/post-checkout", "config", "info"])
def test_a_step_that_touches_gits_own_files_is_seen(tree: Path, name: str) -> None:
    assert changed(tree, lambda tree: (tree / ".git" / name).write_bytes(b"x")).touches_git


def test_a_link_is_not_followed_out_of_the_tree(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (tree / "way out").symlink_to(outside)
    assert changed(tree, lambda _: (outside / "file").write_text("x")).is_empty


@given(before=PATHS, now=PATHS)
def test_between_two_surveys_every_path_is_added_altered_or_as_it_was(before: set[str], now: set[str]) -> None:
    difference = Difference.between(dict.fromkeys(before, (1,)), dict.fromkeys(now, (1,)))
    assert difference.added == now - before
    assert difference.altered == before - now
    assert difference.is_empty is (before == now)


@given(paths=PATHS)
def test_removing_the_roots_removes_all_that_was_added_and_nothing_twice(paths: set[str]) -> None:
    whole = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, 4)}
    roots = Difference(frozenset(whole), frozenset()).added_roots
    for path in whole:
        assert len([root for root in roots if path == root or path.startswith(f"{root}/")]) == 1
