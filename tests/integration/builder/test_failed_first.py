"""`tidegate build` runs tests first that failed the last time in this tree."""

from __future__ import annotations

from tidegate.model.pipeline import Retry, RetryCause, Step
from tidegate.model.step_run import StepState

from .tree import Tree, step

FIRST = "── failed first: 1 test that failed the last time ──"
PASS_NOW = "── they pass now: all are run ──"
BOTH = """\
cases=
for name in $(cat tests); do
  if [ -e "broken-$name" ]; then cases="$cases<testcase name='$name'><failure/></testcase>"
  else cases="$cases<testcase name='$name'/>"; fi
done
echo "<testsuite>$cases</testsuite>" > unit.xml
echo $(cat tests)
case "$cases" in *failure*) exit 1 ;; esac
"""


def the_tests(**more: object) -> Step:
    """A step that runs the tests a and b; the one of which there is a file broken-… fails."""
    first = BOTH.replace("$(cat tests)", '$(cat "$TIDEGATE_FAILED_TESTS")')
    return step("tests", BOTH, junit="unit.xml", failed_first=first, **more)


def test_what_failed_is_run_first_and_ends_the_step_when_it_fails_again(tree: Tree) -> None:
    tree.write("tests", "a b")
    tree.write("broken-b")
    tree.steps = [the_tests()]
    assert tree.build().lines["tests"] == ["a b"]
    again = tree.build()
    assert again.lines["tests"] == [FIRST, "b"]
    assert again.detail("tests") == "a test that failed the last time fails again; `run` was not run"
    (tree.folder / "broken-b").unlink()
    repaired = tree.build()
    assert repaired.lines["tests"] == [FIRST, "b", PASS_NOW, "a b"]
    assert repaired.state_of("tests") is StepState.SUCCEEDED
    assert tree.build().lines["tests"] == ["a b"]


def test_the_names_of_tests_are_no_part_of_the_key(tree: Tree) -> None:
    tree.write("tests", "a b")
    tree.write("broken-never")
    tree.steps = [the_tests(inputs=("tests", "broken-*"))]
    tree.build()
    tree.write("broken-a")
    assert tree.build().state_of("tests") is StepState.FAILED
    (tree.folder / "broken-a").unlink()
    assert tree.build().cached == {"tests"}
    tree.write("broken-b")
    assert tree.build().lines["tests"] == ["a b"], "what came from the cache had no failing tests"


def test_a_second_attempt_begins_with_what_failed_in_the_first(tree: Tree) -> None:
    tree.write("tests", "a b")
    tree.write("broken-a")
    tree.steps = [the_tests(retry=Retry(2, (RetryCause.FAILED,)))]
    assert [one for one in tree.build().lines["tests"] if "attempt" not in one] == ["a b", FIRST, "a"]


def test_a_report_of_what_was_run_first_is_not_taken_for_the_one_of_run(tree: Tree) -> None:
    tree.write("tests", "a b")
    tree.write("broken-b")
    tree.steps = [the_tests()]
    tree.build()
    (tree.folder / "broken-b").unlink()
    tree.steps = [step("tests", "true", junit="unit.xml", failed_first=tree.steps[0].failed_first)]
    ended = tree.build()
    assert ended.state_of("tests") is StepState.FAILED
    assert "the JUnit report unit.xml was not written" in ended.detail("tests")


def test_a_report_of_many_files_counts_as_one_and_comes_back_whole(tree: Tree) -> None:
    tree.write("a")
    write = "echo \"<testsuite><testcase name='$one'/></testsuite>\" > reports/$one.xml"
    script = f"mkdir -p reports; for one in x y; do {write}; done"
    tree.steps = [step("tests", script, inputs=("a",), junit="reports/*.xml")]
    tree.write("reports/stale.xml", "torn")
    first = tree.build().ends["tests"]
    assert first.report is not None
    assert first.report.tests is not None
    assert first.report.tests.total == 2, "what lay there before was removed"
    for name in ("x", "y"):
        (tree.folder / "reports" / f"{name}.xml").unlink()
    assert tree.build().cached == {"tests"}
    assert (tree.folder / "reports" / "y.xml").exists()
