"""The cache stays good whatever happens to it, and within its size."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import threading
from pathlib import Path
from unittest.mock import patch

import pytest

from tidegate.builder import sealed, sweep
from tidegate.builder.cache import Cache, CacheUnusable
from tidegate.model.step_run import StepState

from .tree import Seen, Tree, step

MAKES = "mkdir -p out; cat a > out/a"


def killed_at(moment: int, tree: Tree) -> bool:
    """Build in a process that kills itself right before, or right after, a file gets the name that counts.

    Gives whether it came so far.
    """
    pid = os.fork()
    if not pid:
        left, replace = itertools.count(1), os.replace

        def dying(old: str, new: str) -> None:
            if next(left) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(old, new)
            if next(left) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        with patch("os.replace", dying):
            tree.build(jobs=1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def made(tree: Tree) -> Tree:
    """A tree in which a step has made something."""
    tree.write("a", "1")
    tree.steps = [step("make", MAKES, inputs=("a",), outputs=("out",))]
    tree.build()
    return tree


def test_only_its_owner_may_enter_it(tree: Tree) -> None:
    made(tree)
    assert tree.cache.stat().st_mode & 0o777 == 0o700
    tree.cache.chmod(0o755)
    tree.build()
    assert tree.cache.stat().st_mode & 0o777 == 0o700


def test_one_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheUnusable, match="cannot be used"):
        Cache.open(tmp_path / "file" / "cache")


@pytest.mark.parametrize("harm", ["missing", "cut", "changed"])
def test_a_damaged_blob_is_a_miss_and_is_made_again(tree: Tree, harm: str) -> None:
    made(tree)
    shutil.rmtree(tree.folder / "out")
    for blob in tree.blobs():
        if harm == "missing":
            blob.unlink()
        else:
            blob.write_bytes(blob.read_bytes()[:-1] + (b"" if harm == "cut" else b"!"))
    seen = tree.build()
    assert (seen.ran, tree.text("out/a")) == (["make"], "1")
    assert "make runs again: its files are no longer in the cache" in seen.notes
    shutil.rmtree(tree.folder / "out")
    assert tree.build().ran == []


@pytest.mark.parametrize("harm", [b"", b"no", b"\xff"])
def test_a_damaged_result_or_memory_is_as_none(tree: Tree, harm: bytes) -> None:
    made(tree)
    for path in (*tree.results(), *tree.cache.glob("trees/*/*.json")):
        path.write_bytes(path.read_bytes()[:-3] + harm)
    assert tree.build().ran == ["make"]
    assert tree.build().ran == []


def test_without_its_memory_a_tree_finds_results_and_rewrites_nothing(tree: Tree) -> None:
    made(tree)
    before = (tree.folder / "out/a").stat()
    for path in tree.cache.glob("trees/*/memory.json"):
        path.unlink()
    assert tree.build().cached == {"make"}
    assert (tree.folder / "out/a").stat() == before


def test_killed_at_any_moment_it_leaves_a_good_cache(tree: Tree) -> None:
    for name in ("a", "b"):
        tree.write(name, name)
    tree.steps = [
        step("make", MAKES, inputs=("a",), outputs=("out",)),
        step("use", "cat out/a; touch made", inputs=("b",), needs=("make",), outputs=("made",)),
    ]
    moment, was_killed = 0, True
    while was_killed:
        moment += 1
        one = Tree(tree.folder, tree.cache.with_name(f"cache{moment}"), tree.steps)
        was_killed = killed_at(moment, one)
        shutil.rmtree(tree.folder / "out", ignore_errors=True)
        seen = one.build()
        assert (seen.state, tree.text("out/a")) == (StepState.SUCCEEDED, "a")
        assert one.build().ran == []
    assert moment > 10


def test_two_builds_of_two_trees_may_use_it_at_once(tree: Tree, tmp_path: Path) -> None:
    steps = [step(f"s{n}", f"mkdir -p o{n}; cat a > o{n}/a", inputs=("a",), outputs=(f"o{n}",)) for n in range(8)]
    trees = [Tree(tmp_path / f"tree{number}", tree.cache, steps) for number in range(2)]
    for one in trees:
        one.write("a")
        one.git("init", "--quiet")
    seen = [Seen(), Seen()]
    threads = [threading.Thread(target=trees[n].build, kwargs={"seen": seen[n]}) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.state for one in seen] == [StepState.SUCCEEDED] * 2
    assert [one.build().ran for one in trees] == [[], []]


def test_a_second_build_of_a_tree_waits_for_the_first(tree: Tree) -> None:
    tree.write("a")
    script = "echo waiting; while ! test -e go; do sleep 0.01; done"
    tree.steps = [step("alone", f"mkdir lock; {script}; rmdir lock", inputs=("a",))]

    class Second(Seen):
        """Lets the first one go on when the second one has said that it waits."""

        def note(self, text: str) -> None:
            super().note(text)
            tree.write("go")

    class First(Seen):
        """Begins the second build while its step runs."""

        second = Second()
        thread = threading.Thread(target=tree.build, kwargs={"seen": second})

        def wrote(self, name: str, lines: object) -> None:
            self.thread.start()

    tree.write(".gitignore", "go\n")
    first = First()
    tree.build(seen=first)
    first.thread.join()
    assert first.state is StepState.SUCCEEDED
    assert first.second.notes == ["waits"]
    assert first.second.cached == {"alone"}


def test_what_was_not_used_for_longest_goes_first(tree: Tree) -> None:
    tree.write("a", "1")
    made_large = "head -c 100000 /dev/urandom > out"
    tree.steps = [step("make", made_large, inputs=("a",), outputs=("out",))]
    tree.most_bytes = 350_000
    for content in ("1", "2", "3"):
        tree.write("a", content)
        tree.build()
        for age, result in enumerate(sorted(tree.results(), key=lambda path: path.stat().st_mtime, reverse=True)):
            os.utime(result, (1_000_000_000 - age, 1_000_000_000 - age))
    tree.write("a", "1")
    assert tree.build().cached == {"make"}
    tree.write("a", "4")
    tree.build()
    tree.write("a", "1")
    assert tree.build().cached == {"make"}
    tree.write("a", "2")
    assert tree.build().ran == ["make"]
    assert sum(path.stat().st_size for path in tree.blobs()) <= tree.most_bytes


def test_a_sweep_removes_what_killed_builds_left_and_keeps_the_rest(tree: Tree) -> None:
    made(tree)
    kept = {path for path in tree.cache.rglob("*") if path.is_file() and "definitions" not in path.parts}
    left = [tree.cache / "incoming" / "x", tree.cache / "results" / ".x.new", tree.cache / "blobs" / "00" / "1"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    for path in tree.cache.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    for folder in (tree.cache / "trees").iterdir():
        os.utime(folder)
    sweep.sweep(tree.opened_cache)
    assert {path for path in tree.cache.rglob("*") if path.is_file()} == kept


def test_a_tree_in_which_nobody_builds_any_more_is_forgotten(tree: Tree) -> None:
    made(tree)
    folder = tree.opened_cache.tree_folder(tree.folder)
    os.utime(folder, (1_000_000_000, 1_000_000_000))
    sweep.sweep(tree.opened_cache)
    assert not folder.exists()
    assert tree.build().cached == {"make"}


@pytest.mark.parametrize("is_partial", [False, True])
def test_nothing_is_brought_back_through_a_link_that_leads_elsewhere(
    tree: Tree, tmp_path: Path, is_partial: bool
) -> None:
    tree.write("a", "1")
    script = "test ! -L out; mkdir -p out; touch other; cat a > out/a"
    tree.steps = [step("make", script, inputs=("a",), outputs=("other", "out"))]
    tree.build()
    shutil.rmtree(tree.folder / "out")
    if not is_partial:
        (tree.folder / "other").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tree.folder / "out").symlink_to(tmp_path / "elsewhere")
    seen = tree.build()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "lies behind a symbolic link" in seen.notes[0]
    assert seen.ran == ["make"]


def test_a_cache_that_cannot_be_written_fails_no_step(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write("a")
    tree.steps = [
        step("make", "touch out", inputs=("a",), outputs=("out",)),
        step("use", inputs=("a",), needs=("make",)),
    ]

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Cache, "keep_result", full)
    seen = tree.build()
    assert (seen.state, seen.ran) == (StepState.SUCCEEDED, ["make", "use"])
    assert "what make made could not be kept: No space left on device" in seen.notes


def test_what_is_sealed_is_whole_or_missing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert sealed.read(path) is None
    sealed.write(path, {"a": ["\udcff", 1]})
    assert sealed.read(path) == {"a": ["\udcff", 1]}
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert sealed.read(path) is None
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
