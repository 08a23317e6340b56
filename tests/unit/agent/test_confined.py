"""Reading what a step left: patterns find what a shell's would, and nothing leads out of the checkout."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidegate.agent.confined import ConfinedFolder, Escape

NAMES = st.sampled_from(["a", "b", "ab", "a.whl", ".h"])
TREES = st.sets(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=8)
PATTERNS = st.lists(
    st.sampled_from(["*", "**", "a", "a*", "?", "[ab]", "*.whl", ".*", ".h", "ab"]), min_size=1, max_size=4
).map("/".join)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "dist").mkdir(parents=True)
    (root / "dist" / "shop.whl").write_bytes(b"wheel")
    (tmp_path / "secret").write_bytes(b"hunter2")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "shop.whl").write_bytes(b"hunter2")
    return root


def read(folder: ConfinedFolder, path: str) -> bytes:
    with folder.open(path) as file:
        return file.read()


def _grow(root: Path, paths: set[str]) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for path in sorted(paths, key=len, reverse=True):
        if not (root / path).exists() and not any(parent.is_file() for parent in (root / path).parents):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=TREES, pattern=PATTERNS)
@example(paths={"a/b/a.whl", "a.whl", ".h/a.whl"}, pattern="**/*.whl")
@example(paths={"a/b/a", ".h"}, pattern="**")
@example(paths={"a/a"}, pattern="*/a/**")
def test_a_pattern_finds_the_files_that_pythons_own_glob_finds(tmp_path: Path, paths: set[str], pattern: str) -> None:
    root = tmp_path / "grown"
    _grow(root, paths)
    wanted = {
        os.path.normpath(path)
        for path in glob.glob(pattern, root_dir=root, recursive=True)
        if os.path.isfile(f"{root}/{path}")  # of the file a it finds "a/" by "a/**", which is none
    }
    assert ConfinedFolder(root).matches(pattern) == sorted(wanted)


def test_a_file_is_found_and_read_by_its_name_below_the_services_folder(folder: Path) -> None:
    assert ConfinedFolder(folder).matches("dist/*.whl") == ["dist/shop.whl"]
    inner = ConfinedFolder(folder, below="dist")
    assert inner.matches("*.whl") == ["shop.whl"]
    assert read(inner, "shop.whl") == b"wheel"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "dist/../../secret", "a\0b", "..", ""])
def test_a_path_that_leads_out_by_its_words_is_refused(folder: Path, path: str) -> None:
    for ask in (ConfinedFolder(folder).matches, lambda path: read(ConfinedFolder(folder), path)):
        with pytest.raises(Escape):
            ask(path)
    with pytest.raises(Escape):
        read(ConfinedFolder(folder, below=path or "/"), "secret")


def _file_link(folder: Path) -> None:
    (folder / "dist" / "shop.whl").unlink()
    (folder / "dist" / "shop.whl").symlink_to("../../secret")


def _folder_link(folder: Path) -> None:
    shutil.rmtree(folder / "dist")
    (folder / "dist").symlink_to("../others")


def _pipe(folder: Path) -> None:
    (folder / "dist" / "shop.whl").unlink()
    os.mkfifo(folder / "dist" / "shop.whl")


def _inner_folder(folder: Path) -> None:
    (folder / "dist" / "shop.whl").unlink()
    (folder / "dist" / "shop.whl").mkdir()


@pytest.mark.parametrize("spoil", [_file_link, _folder_link, _pipe, _inner_folder])
def test_what_is_no_plain_file_is_not_read_and_nobody_waits_for_it(folder: Path, spoil: object) -> None:
    assert callable(spoil)
    spoil(folder)
    before = sorted(os.listdir("/dev/fd"))
    with pytest.raises(Escape):
        read(ConfinedFolder(folder), "dist/shop.whl")
    assert sorted(os.listdir("/dev/fd")) == before


def test_a_pattern_goes_through_no_link_and_a_folder_that_became_one_is_said(folder: Path) -> None:
    (folder / "linked").symlink_to("../others")
    assert ConfinedFolder(folder).matches("*/shop.whl") == ["dist/shop.whl"]
    assert ConfinedFolder(folder).matches("**/shop.whl") == ["dist/shop.whl"]
    with pytest.raises(Escape, match="linked is a symbolic link"):
        ConfinedFolder(folder).matches("linked/*.whl")


def test_a_file_of_another_user_is_not_read_for_the_step(folder: Path) -> None:
    mine = ConfinedFolder(folder, owner=os.geteuid())
    assert read(mine, "dist/shop.whl") == b"wheel"
    with pytest.raises(Escape, match="does not belong to the step's user"):
        read(ConfinedFolder(folder, owner=os.geteuid() + 1), "dist/shop.whl")


def test_a_file_that_is_not_there_is_said_to_be_missing(folder: Path) -> None:
    assert ConfinedFolder(folder).matches("build/*.whl") == []
    for path in ("dist/none.whl", "none/shop.whl"):
        with pytest.raises(FileNotFoundError):
            read(ConfinedFolder(folder), path)


def test_a_file_is_removed_and_nothing_outside(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent / "others")
    (folder / "link").symlink_to(folder.parent / "secret")
    confined = ConfinedFolder(folder)
    confined.remove("dist/shop.whl")
    confined.remove("link")
    assert not (folder / "dist" / "shop.whl").exists()
    assert not (folder / "link").is_symlink()
    for path in ("out/shop.whl", "../secret"):
        with pytest.raises(Escape):
            confined.remove(path)
    assert (folder.parent / "secret").exists()
    assert (folder.parent / "others" / "shop.whl").exists()
    with pytest.raises(FileNotFoundError):
        confined.remove("dist/nosuch")
