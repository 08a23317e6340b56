"""Which step may begin by itself once the one before it has succeeded: one about which nothing is left to decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tidegate.model.ids import RunId, StepName, StepRunId
from tidegate.model.pipeline import Concurrency, Step
from tidegate.model.step_ahead import follower_of
from tidegate.model.step_run import BUILD, StepRun, StepState


def a_step(name: str, *needs: str, state: StepState = StepState.WAITING, scope: str = BUILD, **fields: Any) -> StepRun:
    step = Step(name=StepName(name), run="true", needs=tuple(StepName(one) for one in needs), **fields)
    return StepRun(StepRunId(f"{scope} {name}"), RunId("run"), scope, step.name, 0, step, state)


COMPILE = a_step("compile", state=StepState.RUNNING)
TEST = a_step("test", "compile")


def test_the_only_step_that_needs_it_follows() -> None:
    assert follower_of(COMPILE, (COMPILE, TEST, a_step("package", "test"))) == TEST


@pytest.mark.parametrize(
    "needed",
    [
        a_step("lint", state=StepState.SUCCEEDED),
        a_step("lint", state=StepState.LEFT_OUT),
        a_step("lint", state=StepState.FAILED, allow_failure=True),
    ],
    ids=lambda one: one.state,
)
def test_it_may_need_others_that_are_settled(needed: StepRun) -> None:
    test = a_step("test", "compile", "lint")
    assert follower_of(COMPILE, (COMPILE, needed, test)) == test


@pytest.mark.parametrize(
    "state", [state for state in StepState if state not in (StepState.SUCCEEDED, StepState.LEFT_OUT)]
)
def test_it_waits_for_others_that_are_not(state: StepState) -> None:
    assert follower_of(COMPILE, (COMPILE, a_step("lint", state=state), a_step("test", "compile", "lint"))) is None


@pytest.mark.parametrize(
    ("before", "follower"),
    [
        pytest.param(COMPILE, replace(TEST, files="sha256:1"), id="its result may be in the cache"),
        pytest.param(COMPILE, a_step("test", "compile", condition="true"), id="its `if` is asked then"),
        pytest.param(COMPILE, a_step("test", "compile", concurrency=Concurrency("lab", 1)), id="others of its group"),
        pytest.param(COMPILE, a_step("test", "compile", state=StepState.CANCELLED), id="it was cancelled"),
        pytest.param(a_step("compile", outputs=("out/*",)), TEST, id="what it is handed is not made yet"),
        pytest.param(a_step("compile", scope="staging"), a_step("test", "compile", scope="staging"), id="a stage's"),
        pytest.param(a_step("compile", scope="staging"), TEST, id="another scope's"),
    ],
)
def test_what_is_still_to_be_decided_about_does_not_begin_by_itself(before: StepRun, follower: StepRun) -> None:
    assert follower_of(before, (before, follower)) is None


def test_of_several_that_need_it_none_does() -> None:
    assert follower_of(COMPILE, (COMPILE, TEST, a_step("lint", "compile"))) is None
