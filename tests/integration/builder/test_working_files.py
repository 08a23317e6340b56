"""The files of a working tree have the ids that git gives them when they are committed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.builder import git, working_files
from tidegate.builder.git import GitFailed
from tidegate.builder.stamps import stamp_at
from tidegate.integrations.git import GitMirror
from tidegate.model.ids import Commit
from tidegate.model.step_inputs import Listing

from .tree import Tree


def listed(tree: Tree, path: str = ".") -> Listing:
    return working_files.ask(tree.folder / path).answer({}).listing


def committed(tree: Tree, path: str = ".") -> Listing:
    commit = Commit(tree.commit())
    return GitMirror(tree.folder / ".git").listing(commit, path)


def paths(listing: Listing) -> list[str]:
    return [file.path for file in listing.files]


def changed_in_every_way(tree: Tree) -> None:
    """A commit, and changes of all kinds after it: staged, not staged, and new."""
    for name in (
        "kept",
        "changed",
        "staged",
        "removed",
        "renamed",
        "replaced",
        "mode",
        "folder/deep/file",
        "was a file",
    ):
        tree.write(name, name)
    (tree.folder / "link").symlink_to("kept")
    tree.commit()
    for name in ("changed", "staged"):
        tree.write(name, "another")
    tree.git("add", "staged")
    tree.write("staged", "and once more")
    (tree.folder / "removed").unlink()
    tree.git("mv", "renamed", "has another name")
    (tree.folder / "mode").chmod(0o755)
    (tree.folder / "link").unlink()
    (tree.folder / "link").symlink_to("changed")
    (tree.folder / "replaced").unlink()
    (tree.folder / "replaced").symlink_to("kept")
    (tree.folder / "was a file").unlink()
    tree.write("was a file/now a folder", "x")
    tree.write("new", "new")
    tree.write("intended", "i")
    tree.git("add", "--intent-to-add", "intended")
    tree.write("odd\nname\udcff.txt", "odd")
    tree.write('"quoted" ünï', "odd")


def test_it_has_every_id_that_the_next_commit_has(tree: Tree) -> None:
    changed_in_every_way(tree)
    before = listed(tree)
    assert before == committed(tree)
    assert listed(tree) == before


def test_before_the_first_commit_all_files_are_new(tree: Tree) -> None:
    tree.write("a", "a")
    (tree.folder / "link").symlink_to("a")
    assert listed(tree) == committed(tree)


def test_a_service_in_a_folder_of_a_repository_has_the_files_below_it(tree: Tree) -> None:
    tree.write("services/shop/src/a", "a")
    tree.write("services/shop/b", "b")
    tree.write("services/other/c", "c")
    before = listed(tree, "services/shop")
    assert paths(before) == ["b", "src/a"]
    assert before == committed(tree, "services/shop")
    tree.write("services/shop/src/a", "changed")
    assert listed(tree, "services/shop") == committed(tree, "services/shop")


def test_what_git_ignores_is_not_there_unless_it_is_committed(tree: Tree) -> None:
    tree.write(".gitignore", "*.log\nbuild/\n")
    for name in ("a.log", "build/x", "kept.log"):
        tree.write(name)
    tree.git("add", "--force", "kept.log")
    assert paths(listed(tree)) == [".gitignore", "kept.log"]
    assert listed(tree) == committed(tree)


def test_content_is_hashed_as_git_would_keep_it(tree: Tree) -> None:
    tree.write(".gitattributes", "*.txt text eol=crlf\n")
    tree.write("sub/a.txt", "one\r\ntwo\r\n")
    assert listed(tree, "sub") == committed(tree, "sub")
    tree.write("sub/a.txt", "one\r\n")
    assert listed(tree, "sub") == committed(tree, "sub")


def test_a_submodule_counts_by_its_commit(tree: Tree, tmp_path: Path) -> None:
    inner = Tree(tmp_path / "inner", tree.cache)
    inner.write("a")
    inner.git("init", "--quiet")
    inner.commit()
    tree.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.folder), "lib")
    assert listed(tree) == committed(tree)
    inside = Tree(tree.folder / "lib", tree.cache)
    inside.write("b")
    inside.commit()
    assert listed(tree) == committed(tree)


def test_a_file_in_conflict_has_the_content_that_lies_there(tree: Tree) -> None:
    tree.write("a", "1")
    tree.commit()
    tree.git("checkout", "--quiet", "-b", "other")
    tree.write("a", "2")
    tree.commit()
    tree.git("checkout", "--quiet", "main")
    tree.write("a", "3")
    tree.commit()
    with pytest.raises(subprocess.CalledProcessError):
        tree.git("merge", "other")
    before = listed(tree)
    assert paths(before) == ["a"]
    assert before == committed(tree)


def test_files_that_are_not_checked_out_have_the_ids_of_the_commit(tree: Tree) -> None:
    tree.write("a/1")
    tree.write("b/1")
    whole = committed(tree)
    tree.git("sparse-checkout", "set", "a")
    assert not (tree.folder / "b").exists()
    assert listed(tree) == whole


def test_what_steps_make_is_left_out_as_long_as_git_does_not_know_it(tree: Tree) -> None:
    for name in ("dist/a.whl", "dist/b.whl", "src/a", "out/known", "out/new", "made", "made by hand"):
        tree.write(name)
    tree.git("add", "out/known", "src")
    products = (("dist/*", "!dist/b.whl"), ("out",))
    made = {"made": stamp_at(tree.folder / "made"), "made by hand": "of an earlier file"}
    files = working_files.ask(tree.folder).answer({}, products, made)
    assert paths(files.listing) == ["dist/b.whl", "made by hand", "out/known", "src/a"]
    assert sorted(files.others) == ["dist/b.whl", "made by hand"]


def test_a_hash_is_remembered_for_files_that_have_settled(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write("old", "1")
    os.utime(tree.folder / "old", (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(working_files, "_SETTLED_NANOSECONDS", -(10**12))
    first = working_files.ask(tree.folder).answer({})
    assert set(first.hashes) == {"old"}
    monkeypatch.setattr(git, "ask_about", None)
    assert working_files.ask(tree.folder).answer(first.hashes) == first
    monkeypatch.undo()
    tree.write("old", "2")
    assert working_files.ask(tree.folder).answer(first.hashes).listing != first.listing


def test_a_hash_is_not_remembered_for_a_file_that_was_written_just_now(tree: Tree) -> None:
    tree.write("new", "1")
    assert working_files.ask(tree.folder).answer({}).hashes == {}


def test_a_packed_listing_comes_back(tree: Tree) -> None:
    changed_in_every_way(tree)
    before = listed(tree)
    assert working_files.unpacked(working_files.packed(before)) == before


def test_the_folder_that_is_named_counts_not_that_of_a_hook(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write("a")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert paths(listed(tree)) == ["a"]


def test_a_folder_outside_of_a_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="is in no git repository"):
        listed(Tree(tmp_path, tmp_path))


_NAMES = st.sampled_from(["a", "b", "src/a", "src/b", "src/deep/a"])


def _write(tree: Tree, name: str, text: str) -> None:
    if not any((tree.folder / parent).is_file() for parent in Path(name).parents):
        tree.write(name, text)


def _act(tree: Tree, act: tuple[str, str, str]) -> None:
    kind, name, text = act
    path = tree.folder / name
    acts: dict[str, Callable[[], object]] = {
        "write": lambda: _write(tree, name, text),
        "remove": lambda: path.unlink(missing_ok=True),
        "executable": lambda: os.chmod(path, 0o755) if path.exists() else None,
        "add": lambda: tree.git("add", "--all"),
        "commit": tree.commit,
    }
    acts[kind]()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "write", "remove", "executable", "add", "commit"]),
            _NAMES,
            st.sampled_from(["x", "y", "zz"]),
        ),
        max_size=8,
    )
)
def test_whatever_was_done_the_ids_are_those_of_the_next_commit(acts: list[tuple[str, str, str]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tgb-"))
    try:
        tree = Tree(folder, folder)
        tree.git("init", "--quiet")
        for act in acts:
            _act(tree, act)
        assert listed(tree) == committed(tree)
    finally:
        shutil.rmtree(folder)
