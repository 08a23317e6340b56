"""The setup of a working tree."""

from __future__ import annotations

import shutil
from pathlib import Path

from tidegate.model.pipeline import Setup
from tidegate.model.step_run import StepState

from .tree import Tree, step

KEPT = Setup("mkdir -p env; cat req > env/req; echo $$ > env/pid", ("req",), ("env",))


def test_it_runs_once_and_only_when_a_step_really_runs(tree: Tree) -> None:
    tree.write("a")
    tree.setup = Setup("echo x >> count")
    tree.steps = [step("one", inputs=("a",)), step("two", inputs=("a",))]
    assert tree.build().ran.count("setup") == 1
    assert tree.build().ran == []
    tree.write("a", "2")
    assert sorted(tree.build().ran) == ["one", "two"]
    assert tree.text("count") == "x\n"


def test_without_inputs_it_runs_again_when_its_script_changes(tree: Tree) -> None:
    tree.setup = Setup("echo 1")
    tree.steps = [step("one")]
    tree.build()
    tree.setup = Setup("echo 2")
    assert tree.build().ran == ["setup", "one"]
    assert tree.build().ran == ["one"]


def test_a_change_of_its_inputs_runs_it_and_every_step_again(tree: Tree) -> None:
    tree.write("req", "1")
    tree.write("a")
    tree.setup = KEPT
    tree.steps = [step("one", inputs=("a",))]
    tree.build()
    tree.write("req", "2")
    assert tree.build().ran == ["setup", "one"]
    assert tree.text("env/req") == "2"


def test_with_inputs_and_outputs_it_is_brought_back(tree: Tree, tmp_path: Path) -> None:
    tree.write("req")
    tree.setup = KEPT
    tree.steps = [step("one", "test -s env/pid")]
    tree.build()
    pid = tree.text("env/pid")
    shutil.rmtree(tree.folder / "env")
    seen = tree.build()
    assert seen.ran == ["one"]
    assert seen.ends["setup"].cached
    assert tree.text("env/pid") == pid
    other = Tree(tmp_path / "other", tree.cache, tree.steps, tree.setup)
    other.write("req")
    other.git("init", "--quiet")
    assert other.build().ran == ["one"]
    assert other.text("env/pid") == pid


def test_what_tools_write_into_its_outputs_is_left_there(tree: Tree) -> None:
    tree.write("req")
    tree.setup = KEPT
    tree.steps = [step("one", "echo more > env/req; echo new > env/new")]
    tree.build()
    assert tree.build().ran == ["one"]
    assert tree.text("env/req") == "more\n"


def test_one_that_fails_is_not_done(tree: Tree) -> None:
    tree.setup = Setup("echo oh; exit 1")
    tree.steps = [step("one"), step("two")]
    seen = tree.build(jobs=1)
    assert (seen.state, seen.ran) == (StepState.FAILED, ["setup"])
    assert "setup failed: the command ended with exit status 1" in seen.detail("one")
    assert tree.build(jobs=1).ran == ["setup"]


def test_one_that_does_not_make_its_outputs_fails(tree: Tree) -> None:
    tree.write("req")
    tree.setup = Setup("true", ("req",), ("env",))
    tree.steps = [step("one")]
    assert "the output env matches no file" in tree.build().detail("one")


def test_force_runs_it_again(tree: Tree) -> None:
    tree.write("req")
    tree.setup = KEPT
    tree.steps = [step("one")]
    tree.build()
    assert tree.build(force=True).ran == ["setup", "one"]
