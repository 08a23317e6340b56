"""What holds for a run whatever becomes of its steps, its rollouts and its people, in whatever order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import (
    ANNA,
    BEN,
    BLUE_GREEN,
    HOUR,
    STAGE_PRODUCTION,
    STAGE_STAGING,
    UNHURRIED,
    a_pipeline,
    a_step,
    an_approval,
)
from tests.unit.model.run_story import RunStory, a_run_story

from tidegate.model.approval import Answer
from tidegate.model.event import EventKind
from tidegate.model.ids import StageName
from tidegate.model.lease import StepOutcome
from tidegate.model.pipeline import DeployRule, Mode, Retry
from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.model.step_run import StepState

Happening = Callable[[RunStory], object]
STAGES = (STAGE_STAGING, STAGE_PRODUCTION)


def _a_step_ends(outcome: StepOutcome) -> Happening:
    def first_that_an_agent_has(story: RunStory) -> None:
        for step in story.state.steps:
            if step.state in (StepState.READY, StepState.RUNNING):
                story.step_ends(step.name, outcome, scope=step.scope)
                return

    return first_that_an_agent_has


def _a_step_begins(story: RunStory) -> None:
    for step in story.state.steps:
        if step.state is StepState.READY:
            story.step_begins(step.name, step.scope)
            return


def _rollouts(story: RunStory, *states: RolloutState) -> list[StageName]:
    return [name for name in STAGES if name in story.state.rollouts and story.rollout(name).state in states]


def _it_reaches_the_whole(story: RunStory) -> None:
    for name in _rollouts(story, RolloutState.MOVING):
        story.reaches_the_whole(name)


def _it_passes(story: RunStory) -> None:
    for name in _rollouts(story, RolloutState.JUDGING):
        rollout = story.rollout(name)
        if not rollout.rollback_asked and (rollout.steps_passed or not rollout.needs_steps):
            story.passes(name)


def _it_does_harm(story: RunStory) -> None:
    for name in _rollouts(story, RolloutState.MOVING, RolloutState.JUDGING, RolloutState.WATCHING)[:1]:
        story.begins_to_go_back(name)


def _what_was_asked_goes_back(story: RunStory) -> None:
    for name in _rollouts(story, RolloutState.MOVING, RolloutState.JUDGING, RolloutState.WATCHING):
        asked = story.rollout(name).rollback_asked
        if asked:
            story.rollout_is(RolloutState.RETURNING, name, cause=asked)


def _it_is_back(story: RunStory) -> None:
    for name in _rollouts(story, RolloutState.RETURNING):
        story.rollout_is(RolloutState.ROLLED_BACK, name)


def _the_line(because: str | None) -> Happening:
    return lambda story: story.change_service(line_stopped_because=because).settle()


def _cancel(story: RunStory) -> None:
    if not story.status.is_ended:
        story.people_say(cancel_asked_by="anna")


HAPPENINGS: dict[str, Happening] = {
    "a step succeeds": _a_step_ends(StepOutcome.SUCCEEDED),
    "a step fails": _a_step_ends(StepOutcome.FAILED),
    "a step is lost": _a_step_ends(StepOutcome.LOST),
    "a step begins": _a_step_begins,
    "it reaches the whole": _it_reaches_the_whole,
    "it passes": _it_passes,
    "it does harm": _it_does_harm,
    "what was asked goes back": _what_was_asked_goes_back,
    "it is back": _it_is_back,
    "anna says yes": lambda story: story.answer(an_approval(ANNA)),
    "ben says no": lambda story: story.answer(an_approval(BEN, Answer.REJECTED)),
    "the line stops": _the_line("2 rollbacks in a row"),
    "the line goes on": _the_line(None),
    "a person holds": lambda story: story.people_say(held_by="ben"),
    "a person resumes": lambda story: story.people_say(held_by=None),
    "a person cancels": _cancel,
    "a newer release waits": lambda story: story.change_site(newer_waiting="dddddddd").settle(),
    "time passes": lambda story: story.wait(HOUR),
}
GOOD = ("a step succeeds", "it reaches the whole", "it passes", "anna says yes", "the line goes on", "a person resumes")
BACK = ("what was asked goes back", "it is back", "a step succeeds")

# good things are drawn more often, so that many runs come far
happenings = st.lists(st.sampled_from([*sorted(HAPPENINGS), *GOOD, *GOOD]), max_size=20)


@st.composite
def stories(draw: st.DrawFn) -> RunStory:
    deploy: DeployRule | None = draw(st.sampled_from([BLUE_GREEN, BLUE_GREEN, None]))
    smoke = (a_step("smoke", attempts=draw(st.integers(1, 2))),) if draw(st.booleans()) else ()
    build = (a_step("test"), a_step("package", "test")) if draw(st.booleans()) else ()
    pipeline = a_pipeline(deploy=deploy, build=build, staging_steps=smoke, mode=draw(st.sampled_from(Mode)))
    story = a_run_story(pipeline, by_person=draw(st.booleans()), serves=draw(st.booleans()))
    return story.change_service(grant=draw(st.none() | st.sampled_from(Mode)))


def tell(story: RunStory, told: list[str]) -> RunStory:
    """Every settling on the way checks that looking again changes nothing, and that something is waited for."""
    story.settle()
    for name in told:
        HAPPENINGS[name](story)
    return story


@UNHURRIED
@given(story=stories(), told=happenings)
def test_no_stage_works_unless_its_gate_was_opened_for_exactly_this_release(story: RunStory, told: list[str]) -> None:
    tell(story, told)
    opened = [
        (event.about["release"], event.about["stage"])
        for event in story.events
        if event.kind is EventKind.GATE_DECIDED and event.data["state"] == "open"
    ]
    begun = [event.about["stage"] for event in story.events if event.kind is EventKind.STAGE_BEGAN]
    assert [("01RELEASE", stage) for stage in begun] == opened
    assert {rollout.stage for rollout in story.state.rollouts.values()} <= set(begun)


@UNHURRIED
@given(story=stories(), told=happenings)
def test_nothing_goes_to_production_in_delivery_mode_without_a_persons_yes(story: RunStory, told: list[str]) -> None:
    tell(story, told)
    pipeline = story.run.pipeline
    assert pipeline is not None
    by_policy = pipeline.mode is Mode.DEPLOYMENT and story.state.service.grant is Mode.DEPLOYMENT
    if story.stage(STAGE_PRODUCTION).opened_by and not by_policy:
        assert story.stage(STAGE_PRODUCTION).opened_by == "approved by anna"
        assert [one for one in story.state.approvals if one.answer is Answer.APPROVED]


@UNHURRIED
@given(story=stories(), told=happenings)
def test_no_stage_begins_after_the_stage_that_it_needs_went_back(story: RunStory, told: list[str]) -> None:
    story.settle()
    for name in told:
        harmed = any(rollout.cause for rollout in story.state.rollouts.values())
        before = len(story.said(EventKind.STAGE_BEGAN))
        HAPPENINGS[name](story)
        if harmed:
            assert len(story.said(EventKind.STAGE_BEGAN)) == before


@UNHURRIED
@given(story=stories(), told=happenings)
def test_a_run_that_has_ended_has_no_stage_that_goes_on(story: RunStory, told: list[str]) -> None:
    tell(story, told)
    if story.status.is_ended:
        assert all(stage.state.is_ended for stage in story.state.stages)
        assert story.run.ended_at is not None
        assert story.run.because, "an ending says why"
        assert all(step.state.is_ended or step.cancel_asked or _never(step.state) for step in story.state.steps)


def _never(state: StepState) -> bool:
    """A step that no agent ever gets: its scope is over."""
    return state is StepState.WAITING


@UNHURRIED
@given(story=stories(), told=happenings)
def test_an_ended_run_changes_its_ending_only_when_the_watch_finds_harm(story: RunStory, told: list[str]) -> None:
    story.settle()
    for name in told:
        before = story.status
        HAPPENINGS[name](story)
        if before is RunStatus.SUCCEEDED:
            assert story.status in (RunStatus.SUCCEEDED, RunStatus.ROLLED_BACK)
        elif before.is_ended:
            assert story.status is before


@UNHURRIED
@given(story=stories(), told=happenings)
def test_a_cancelled_run_ends_when_all_that_moves_is_quiet(story: RunStory, told: list[str]) -> None:
    tell(story, [*told, "a person cancels", *BACK * 4])
    assert story.status.is_ended
    assert not _rollouts(story, RolloutState.MOVING, RolloutState.JUDGING, RolloutState.RETURNING)


@UNHURRIED
@given(story=stories())
def test_a_good_run_with_a_persons_yes_succeeds(story: RunStory) -> None:
    tell(story, [*GOOD * 5])
    assert story.status is RunStatus.SUCCEEDED
    assert {stage.state for stage in story.state.stages} == {StageState.PASSED}


@UNHURRIED
@given(story=stories(), told=happenings)
def test_no_step_is_tried_more_often_than_its_file_says(story: RunStory, told: list[str]) -> None:
    tell(story, told)
    for step in story.state.steps:
        retry: Retry = step.step.retry
        assert step.attempt <= retry.attempts
