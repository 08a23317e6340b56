"""Tests that failed the last time are run first, and what an agent says of tests by name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.agent.world import World, until

from tidegate.model.ids import Digest, StepRunId
from tidegate.model.lease import StepOutcome, TestReport
from tidegate.runners.process import ProcessRunner

STEP = StepRunId("STEP1")
JUNIT = "reports/unit.xml"
BOTH = ("com.acme.Cart::sums", "com.acme.Prices::sums")


def junit(*failing: str, passing: tuple[str, ...] = ()) -> str:
    """A script that writes a report."""
    cases = [f"<testcase classname='com.acme.{name}' name='sums'><failure/></testcase>" for name in failing]
    cases += [f"<testcase classname='com.acme.{name}' name='sums'/>" for name in passing]
    return f'mkdir -p reports; echo "<testsuite>{"".join(cases)}</testsuite>" > {JUNIT}\n'


def test_what_fails_again_ends_the_step_at_once_with_its_own_report(running: World) -> None:
    first = 'echo running first; cat "$TIDEGATE_FAILED_TESTS"\n' + junit("Cart") + "exit 1"
    run = "echo never; " + junit("Cart", "Prices")
    report = running.perform(run, failed_first=first, junit=JUNIT, failed_tests=BOTH)
    assert report.outcome is StepOutcome.FAILED
    assert report.detail == "a test that failed the last time fails again; `run` was not run"
    assert report.ended_first
    assert report.tests == TestReport(1, 1, 0, ("com.acme.Cart::sums",))
    assert running.server.lines(STEP) == [
        "── failed first: 2 tests that failed the last time ──",
        "running first",
        *BOTH,
    ]


def test_where_they_pass_run_follows_and_its_report_counts(running: World) -> None:
    first = "mkdir made; " + junit(passing=("Cart",))
    run = f"test ! -e {JUNIT}; ls; echo ${{TIDEGATE_FAILED_TESTS-none}}\n" + junit(passing=("Cart", "Prices"))
    report = running.perform(run, failed_first=first, junit=JUNIT, failed_tests=BOTH, watched_tests=BOTH[:1])
    assert report.outcome is StepOutcome.SUCCEEDED, running.server.lines(STEP)
    assert report.tests == TestReport(2, 0, 0, (), BOTH[:1])
    assert running.server.lines(STEP) == [
        "── failed first: 2 tests that failed the last time ──",
        "── they pass now: all are run ──",
        *("hello.txt", "made", "reports", "services", "none"),
    ]


NONSENSE = f"mkdir -p reports; echo nonsense > {JUNIT}\n"


@pytest.mark.parametrize("writes", ["", junit(passing=("Cart",)), NONSENSE])
def test_a_first_command_that_fails_without_a_failing_test_decides_nothing(running: World, writes: str) -> None:
    report = running.perform(junit(passing=("Prices",)), failed_first=writes + "exit 4", junit=JUNIT, failed_tests=BOTH)
    assert report.outcome is StepOutcome.SUCCEEDED
    assert not report.ended_first
    assert report.tests == TestReport(1, 0, 0)
    said = "── the command ended with exit status 4, and no test failed: all are run ──"
    assert running.server.lines(STEP)[-1] == said


def test_nothing_is_run_first_where_nothing_failed(running: World) -> None:
    running.perform("echo all\n" + junit(), failed_first="echo first; exit 1", junit=JUNIT)
    assert running.server.lines(STEP) == ["all"]


def test_what_is_run_first_is_ended_when_the_steps_time_is_over(running: World) -> None:
    report = running.perform(
        "echo never", failed_first="sleep 600", junit=JUNIT, failed_tests=BOTH, timeout=timedelta(seconds=0.5)
    )
    assert report.outcome is StepOutcome.TIMED_OUT
    assert running.server.lines(STEP)[-1] == "── it took longer than its timeout of 0.5 s ──"


def test_an_agent_that_is_killed_meanwhile_goes_on_where_it_was(running: World) -> None:
    gates = running.data / "gates"
    gates.mkdir(mode=0o777)
    gates.chmod(0o777)
    first = f"echo first >> {gates}/ran; echo begun; until [ -e {gates}/go ]; do sleep 0.02; done\n"
    lease = running.lease(
        f"echo run >> {gates}/ran; cat made; " + junit(),
        setup=f"echo setup >> {gates}/ran; echo made > made; echo setting up",
        failed_first=first + junit(passing=("Cart",)),
        junit=JUNIT,
        failed_tests=BOTH,
    )
    running.server.offer(lease)
    running.server.until(lambda server: "begun" in server.lines(STEP))
    running.kill_agent()
    (gates / "go").touch()
    folder = running.data / "agent" / "attempts" / "STEP1.1.1" / "first"
    runner = ProcessRunner(running.run_as)
    handle = runner.find(str(folder))
    assert handle is not None
    runner.wait(handle, 10)
    running.start_agent()
    assert running.server.result("STEP1").outcome is StepOutcome.SUCCEEDED
    assert (gates / "ran").read_text().split() == ["setup", "first", "run"]
    assert running.server.lines(STEP) == [
        "── setup ──",
        "setting up",
        "── step1 ──",
        "── failed first: 2 tests that failed the last time ──",
        "begun",
        "── they pass now: all are run ──",
        "made",
    ]


@pytest.mark.parametrize("moment", range(0, 40, 3))
def test_an_agent_that_kills_itself_at_any_moment_runs_neither_command_twice(world: World, moment: int) -> None:
    ran = world.data / "ran"
    ran.touch()
    ran.chmod(0o666)
    lease = world.lease(
        f"echo run >> {ran}; echo last\n" + junit(),
        failed_first=f"echo first >> {ran}; echo begun\n" + junit(passing=("Cart",)),
        junit=JUNIT,
        failed_tests=BOTH,
    )
    world.server.offer(lease)
    agent = world.start_agent(crash_at=moment)
    until(lambda: agent.poll() is not None or world.server.results[STEP])
    world.start_agent()
    assert world.server.result("STEP1").outcome is StepOutcome.SUCCEEDED
    assert ran.read_text().split() == ["first", "run"]
    assert [one for one in world.server.lines(STEP) if "──" not in one] == ["begun", "last"]


def test_what_a_step_makes_is_brought_where_only_excused_tests_failed(running: World) -> None:
    makes = "echo shop > shop.whl; mkdir out; echo x > out/x; " + junit("Cart") + "exit 1"
    more = {"makes": {"shop": "*.whl"}, "outputs": ("out",), "junit": JUNIT}
    report = running.perform(makes, "STEP1", excused_tests=BOTH, **more)
    assert report.outcome is StepOutcome.FAILED
    assert [running.server.artifacts[Digest(one.digest)] for one in report.artifacts] == [b"shop\n"]
    assert report.outputs is not None
    report = running.perform(makes, "STEP2", excused_tests=BOTH[1:], **more)
    assert (report.artifacts, report.outputs) == ((), None)
    report = running.perform(junit("Cart") + "exit 1", "STEP3", excused_tests=BOTH, **more)
    assert (report.outcome, report.artifacts, report.outputs) == (StepOutcome.FAILED, (), None)
