"""What runs, what comes from the cache, and what lies in the tree afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.builder.tree import BuildInsideItself
from tidegate.model.pipeline import Concurrency, Retry, RetryCause
from tidegate.model.step_run import StepState

from .tree import Tree, step

REPORT = "<testsuite><testcase/><testcase><failure/></testcase><testcase/></testsuite>"


def test_a_step_whose_inputs_did_not_change_comes_from_the_cache(tree: Tree) -> None:
    tree.write("src/a", "1")
    tree.steps = [step("test", "cat src/a", inputs=("src/**",))]
    assert tree.build().ran == ["test"]
    again = tree.build()
    assert (again.ran, again.cached) == ([], {"test"})
    origin = again.ends["test"].origin
    assert origin is not None
    assert (origin.commit, origin.dirty) == (None, True)


def test_it_runs_again_when_one_of_them_changes_and_comes_back_when_it_is_as_before(tree: Tree) -> None:
    tree.write("src/a", "1")
    tree.steps = [step("test", "mkdir -p out; cat src/a > out/a", inputs=("src/**",), outputs=("out/**",))]
    tree.build()
    tree.write("src/a", "2")
    assert tree.build().ran == ["test"]
    tree.write("src/a", "1")
    assert tree.build().ran == []
    assert tree.text("out/a") == "1"


def test_a_step_without_inputs_always_runs(tree: Tree) -> None:
    tree.steps = [step("test")]
    tree.build()
    assert tree.build().ran == ["test"]


def test_a_changed_command_runs_again(tree: Tree) -> None:
    tree.write("a")
    tree.steps = [step("test", "true", inputs=("a",))]
    tree.build()
    tree.steps = [step("test", "true # once more", inputs=("a",))]
    assert tree.build().ran == ["test"]


def test_what_made_the_same_thing_again_makes_nobody_run(tree: Tree) -> None:
    tree.write("a", "1")
    tree.steps = [
        step("make", "echo same > out", inputs=("a",), outputs=("out",)),
        step("use", "cat out", inputs=("a?",), needs=("make",)),
    ]
    tree.write("ab")
    tree.build()
    tree.write("a", "2")
    assert tree.build().ran == ["make"]


def test_outputs_artifacts_reports_and_logs_come_back(tree: Tree) -> None:
    tree.write("a")
    script = (
        f"echo hello; mkdir -p dist out reports; echo x > dist/a-1.whl; echo y > out/y; echo '{REPORT}' > reports/r"
    )
    made = step("make", script, inputs=("a",), outputs=("out",), artifacts={"shop": "dist/*.whl"}, junit="reports/r")
    tree.steps = [made]
    first = tree.build().ends["make"]
    tree.git("clean", "--quiet", "--force", "-d", "--exclude", "a")
    again = tree.build()
    assert again.ran == []
    assert [tree.text(path) for path in ("dist/a-1.whl", "out/y")] == ["x\n", "y\n"]
    assert (tree.folder / "reports/r").exists()
    report = again.ends["make"].report
    assert report == first.report
    assert report is not None and report.tests is not None
    assert (report.tests.total, report.tests.failed) == (3, 1)
    assert tree.log("make") == ["hello"]


def test_the_log_of_another_trees_result_comes_back_too(tree: Tree, tmp_path: Path) -> None:
    tree.write("a")
    tree.steps = [step("test", "echo hello", inputs=("a",))]
    tree.build()
    other = Tree(tmp_path / "other", tree.cache, tree.steps)
    other.write("a")
    other.git("init", "--quiet")
    assert other.build().cached == {"test"}
    assert other.log("test") == ["hello"]


def test_what_is_in_place_and_unchanged_is_not_written(tree: Tree) -> None:
    tree.write("a")
    tree.steps = [step("make", "mkdir -p out; echo 1 > out/1; echo 2 > out/2", inputs=("a",), outputs=("out",))]
    tree.build()
    before = (tree.folder / "out/1").stat()
    tree.write("out/2", "changed")
    assert tree.build().cached == {"make"}
    assert (tree.folder / "out/1").stat() == before
    assert tree.text("out/2") == "2\n"


def test_what_another_result_of_the_step_left_is_removed_but_not_what_a_person_wrote(tree: Tree) -> None:
    tree.write("a", "1")
    tree.steps = [step("make", "mkdir -p out; touch out/$(cat a)", inputs=("a",), outputs=("out",))]
    tree.build()
    (tree.folder / "out/1").unlink()
    tree.write("a", "2")
    tree.build()
    tree.write("out/own", "mine")
    tree.write("a", "1")
    assert tree.build().cached == {"make"}
    assert sorted(path.name for path in (tree.folder / "out").iterdir()) == ["1", "own"]


def test_links_and_executables_come_back_as_they_were(tree: Tree) -> None:
    tree.write("a")
    script = "mkdir out; echo 'echo hi' > out/tool; chmod +x out/tool; ln -s tool out/link"
    tree.steps = [step("make", script, inputs=("a",), outputs=("out",))]
    tree.build()
    tree.git("clean", "--quiet", "--force", "-d", "--exclude", "a")
    tree.build()
    assert (tree.folder / "out/link").readlink() == Path("tool")
    assert (tree.folder / "out/tool").stat().st_mode & 0o777 == 0o755
    assert (tree.folder / "out/tool").stat().st_mtime > 315532800  # ZIP names no earlier day


def test_a_failed_step_is_never_kept_and_stops_what_did_not_begin(tree: Tree) -> None:
    tree.write("a")
    tree.steps = [
        step("bad", "echo why; exit 3", inputs=("a",)),
        step("beside", inputs=("a",)),
        step("after", inputs=("a",), needs=("bad",)),
    ]
    seen = tree.build(jobs=1)
    assert (seen.state, seen.ran) == (StepState.FAILED, ["bad"])
    assert "exit status 3" in seen.detail("bad")
    assert seen.state_of("after") is StepState.SKIPPED
    assert tree.build(jobs=1).ran == ["bad"]
    assert tree.log("bad") == ["why"]


def test_keep_going_goes_on_beside_a_failed_step(tree: Tree) -> None:
    tree.steps = [step("bad", "exit 1"), step("beside"), step("after", needs=("bad",))]
    seen = tree.build(jobs=1, keep_going=True)
    assert (seen.state, seen.ran) == (StepState.FAILED, ["bad", "beside"])


def test_a_step_that_may_fail_fails_no_build(tree: Tree) -> None:
    tree.write("a")
    tree.steps = [step("bad", "exit 1", allow_failure=True), step("after", inputs=("a",), needs=("bad",))]
    seen = tree.build()
    assert (seen.state, seen.ran) == (StepState.SUCCEEDED, ["bad", "after"])
    assert seen.state_of("bad") is StepState.FAILED
    assert tree.build().ran == ["bad"]


def test_a_step_is_tried_again_for_the_causes_that_it_names(tree: Tree) -> None:
    script = "test -e once || { touch once; exit 1; }"
    again = Retry(2, (RetryCause.FAILED,))
    tree.steps = [step("flaky", script, retry=again), step("timeouts only", "exit 1", retry=Retry(2))]
    seen = tree.build(jobs=1, keep_going=True)
    assert seen.ran == ["flaky", "flaky", "timeouts only"]
    assert seen.state_of("flaky") is StepState.SUCCEEDED


def test_a_step_that_takes_too_long_is_ended(tree: Tree) -> None:
    tree.steps = [step("slow", "sleep 60", timeout=timedelta(seconds=0.05))]
    seen = tree.build()
    assert seen.state_of("slow") is StepState.TIMED_OUT
    assert "its timeout of 0.05 s" in seen.detail("slow")


def test_force_takes_nothing_from_the_cache(tree: Tree) -> None:
    tree.write("a")
    tree.steps = [step("test", inputs=("a",))]
    tree.build()
    assert tree.build(force=True).ran == ["test"]
    assert tree.build().ran == []


def test_no_more_steps_of_a_group_run_at_once_than_it_allows(tree: Tree) -> None:
    alone = "mkdir lock && rmdir lock"
    licence = Concurrency("licence", 1)
    tree.steps = [step(f"s{number}", alone, concurrency=licence) for number in range(6)]
    assert tree.build(jobs=4).state is StepState.SUCCEEDED


def test_a_pattern_of_inputs_that_matches_nothing_is_named(tree: Tree) -> None:
    tree.write(".gitignore", "ignored\n")
    tree.write("ignored")
    tree.steps = [step("test", inputs=("ignored", "!x", "$TIDEGATE_COMMIT"))]
    seen = tree.build()
    assert (seen.state, seen.ran) == (StepState.FAILED, [])
    assert 'the input ignored of "test" matches no file' in seen.detail("test")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"outputs": ("dist/*.whl",)}, "the output dist/*.whl matches no file"),
        ({"artifacts": {"shop": "dist/*.whl"}}, "artifact 'shop' (dist/*.whl) has to match exactly one file"),
        ({"junit": "r.xml"}, "the JUnit report r.xml was not written"),
    ],
)
def test_a_step_that_does_not_make_what_it_says_fails(tree: Tree, more: dict[str, Any], words: str) -> None:
    tree.write("a")
    tree.steps = [step("make", inputs=("a",), **more)]
    seen = tree.build()
    assert seen.state is StepState.FAILED
    assert words in seen.detail("make")
    assert tree.results() == []


def test_a_report_and_an_artifact_of_an_earlier_run_do_not_pass_for_those_of_this_one(tree: Tree) -> None:
    tree.write("version", "1")
    script = "mkdir -p dist; touch dist/shop-$(cat version).whl; test $(cat version) = 3 || echo '<testsuite/>' > r.xml"
    artifacts = {"shop": "dist/*.whl"}
    tree.steps = [step("make", script, inputs=("version",), artifacts=artifacts, junit="r.xml")]
    assert tree.build().state is StepState.SUCCEEDED
    tree.write("version", "2")
    assert tree.build().ends["make"].artifact_paths == ("dist/shop-2.whl",)
    tree.write("version", "3")
    assert "r.xml was not written" in tree.build().detail("make")


@pytest.mark.parametrize("inputs", [("classes",), ()], ids=["kept", "not kept"])
def test_a_report_for_each_class_counts_as_long_as_the_class_is_there(tree: Tree, inputs: tuple[str, ...]) -> None:
    script = f"mkdir -p reports; for name in $(cat classes); do echo '{REPORT}' > reports/TEST-$name.xml; done"
    tree.write("reports/notes.xml", "no report")
    tree.steps = [step("make", script, inputs=inputs, junit="reports/TEST-*.xml")]
    for classes, total in (("one two", 6), ("two", 3), ("one two three", 9)):
        tree.write("classes", classes)
        report = tree.build().ends["make"].report
        assert report is not None and report.tests is not None
        assert report.tests.total == total
    assert tree.text("reports/notes.xml") == "no report"


def test_what_steps_make_is_nobodys_input_although_git_does_not_ignore_it(tree: Tree) -> None:
    tree.write("a")
    artifacts = {"x": "own"}
    tree.steps = [
        step("make", "echo $$ > out; echo x > own", inputs=("**",), outputs=("out",), artifacts=artifacts),
        step("always", "echo $$ > free", outputs=("free",)),
    ]
    tree.build()
    assert tree.build().ran == ["always"]


def test_what_a_person_writes_beside_outputs_is_an_input(tree: Tree) -> None:
    tree.write("site/a")
    tree.steps = [step("make", "touch site/index", inputs=("site",), outputs=("site",))]
    tree.build()
    assert tree.build().ran == []
    tree.write("site/b")
    assert tree.build().ran == ["make"]


def test_a_step_runs_in_its_folder_with_a_small_and_fixed_environment(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write("sub/a")
    monkeypatch.setenv("SECRET", "1")
    monkeypatch.setenv("HOME", "/home/ada")
    tree.steps = [step("env", "pwd; umask; env", inputs=("sub/a",), working_directory="sub", env={"MINE": "1"})]
    tree.commit()
    lines = tree.build().lines["env"]
    assert lines[:2] == [str(tree.folder / "sub"), "0022"]
    known = dict(line.split("=", 1) for line in lines[2:])
    fixed = {"CI": "true", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/home/ada", "MINE": "1"}
    fixed |= {"SOURCE_DATE_EPOCH": "315532800", "TIDEGATE_STEP": "env", "TIDEGATE_SERVICE": "shop"}
    assert fixed.items() <= known.items()
    assert known.keys() - fixed.keys() == {
        *("PATH", "PWD", "USER", "LOGNAME", "TMPDIR", "TIDEGATE_ARTIFACTS", "TIDEGATE_MARK"),
    }


def test_a_step_that_names_the_commit_is_told_it_and_runs_again_for_another_one(tree: Tree) -> None:
    tree.write("a")
    tree.steps = [step("stamp", 'echo "$TIDEGATE_COMMIT"', inputs=("a", "$TIDEGATE_COMMIT"))]
    commit = tree.commit()
    assert tree.build().lines["stamp"] == [commit]
    assert tree.build().ran == []
    tree.write("b")
    assert tree.build().ran == []
    tree.commit()
    assert tree.build().ran == ["stamp"]


def test_a_step_without_inputs_is_told_everything(tree: Tree) -> None:
    tree.write("a")
    commit = tree.commit()
    tree.steps = [step("all", 'echo "$TIDEGATE_COMMIT $TIDEGATE_BRANCH $SOURCE_DATE_EPOCH"')]
    assert tree.build().lines["all"] == [f"{commit} main {tree.git('log', '-1', '--format=%ct')}"]


def test_conditions_are_asked_about_what_is_not_committed_or_else_about_the_commit(tree: Tree) -> None:
    tree.steps = [
        step("web", condition='changed.exists(f, f.startsWith("web/"))'),
        step("after", condition='needs.web.status != "failed"', needs=("web",)),
        step("branch", condition='branch == "main" && trigger == "push"'),
    ]
    tree.write("web/a")
    tree.commit()
    assert sorted(tree.build().ran) == ["after", "branch", "web"]
    tree.write("other")
    seen = tree.build()
    assert (seen.state, set(seen.ran)) == (StepState.SUCCEEDED, {"after", "branch"})
    assert seen.state_of("web") is StepState.LEFT_OUT
    tree.write("web/a", "changed")
    assert "web" in tree.build().ran


def test_a_file_that_changes_while_a_step_runs_leaves_no_result_behind(tree: Tree) -> None:
    tree.write("a", "1")
    tree.steps = [step("test", "cat a; echo 2 > a", inputs=("a",))]
    seen = tree.build()
    assert seen.state is StepState.SUCCEEDED
    assert "a was changed while test ran" in seen.notes[0]
    assert tree.results() == []
    tree.write("a", "1")
    assert tree.build().ran == ["test"]


def test_a_file_that_appears_while_a_step_runs_leaves_no_result_behind(tree: Tree) -> None:
    tree.write("src/a")
    tree.steps = [
        step("test", "cat src/*; : > src/b", inputs=("src",)),
        step("beside", inputs=("src/a",), needs=("test",)),
    ]
    seen = tree.build()
    assert seen.state is StepState.SUCCEEDED
    assert seen.notes == ["src/b appeared while test ran; its result is not kept"]
    assert len(tree.results()) == 1
    (tree.folder / "src/b").unlink()
    assert tree.build().ran == ["test"]


def test_a_cache_inside_of_the_tree_is_nobodys_input(tree: Tree) -> None:
    tree.cache = tree.folder / ".cache"
    tree.write("a")
    tree.steps = [step("test", inputs=("**",))]
    tree.build()
    assert tree.build().ran == []


def test_a_step_may_not_build_the_tree_that_it_is_built_in(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.steps = [step("test", 'echo "$TIDEGATE_MARK"')]
    mark = tree.build().lines["test"][0]
    monkeypatch.setenv("TIDEGATE_MARK", mark)
    with pytest.raises(BuildInsideItself, match="cannot build it once more"):
        tree.build()
