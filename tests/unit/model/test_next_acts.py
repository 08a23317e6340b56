"""Whatever waits or holds names the command that ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import (
    ANNA,
    NOON,
    STAGE_STAGING,
    a_canary,
    a_pipeline,
    a_rollout,
    a_run,
    a_service,
    an_approval,
    rollout_at,
    stage_runs,
)
from tests.unit.model.run_story import RunStory, a_run_story

from tidegate.model.gate import GateDecision, GateState
from tidegate.model.next_acts import NextAct, next_acts
from tidegate.model.pipeline import ApprovalPoint, VerifyRule
from tidegate.model.reason import Reason
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState

WAITING = a_run(a_pipeline(), status=RunStatus.WAITING)


def at_gate(*reasons: Reason) -> tuple[StageRun, ...]:
    gate = GateDecision(GateState.WAITING, reasons, blocking=reasons)
    return tuple(replace(one, state=StageState.GATE, gate=gate) for one in stage_runs(a_pipeline())[1:])


def acts(
    run: Run = WAITING, stages: tuple[StageRun, ...] = (), rollouts: tuple[Rollout, ...] = ()
) -> list[tuple[str, str | None]]:
    return [(act.text, act.command) for act in next_acts(run, a_service(), stages, rollouts)]


def told(story: RunStory) -> tuple[NextAct, ...]:
    state = story.state
    return next_acts(state.run, state.service, state.stages, tuple(state.rollouts.values()))


def at_the_production_gate() -> RunStory:
    return a_run_story().settle().passes(STAGE_STAGING)


# at a gate


def test_a_gate_that_waits_for_a_person_names_the_command_that_says_yes() -> None:
    (act,) = told(at_the_production_gate())
    assert act.text.startswith("production: 0 of 1 approvals")
    assert act.command == "tidegate approve 01RUN"


@pytest.mark.parametrize("field", ["paused_because", "line_stopped_because"])
def test_a_paused_service_and_a_stopped_line_name_the_command_with_the_services_own_name(field: str) -> None:
    story = at_the_production_gate().change_service(**{field: "a person has to look"})
    story.answer(an_approval(ANNA))
    (act,) = told(story)
    assert "a person has to look" in act.text
    assert act.command == "tidegate service resume shop"


def test_a_hold_is_named_once_with_the_command_that_ends_it() -> None:
    story = at_the_production_gate().people_say(held_by="ben").answer(an_approval(ANNA))
    assert [(act.text, act.command) for act in told(story)] == [("held by ben", "tidegate resume 01RUN")]


def test_what_no_command_ends_is_named_all_the_same() -> None:
    reason = Reason("placement", "shop/production is moving: run 01BEFORE is judging there")
    assert acts(stages=at_gate(reason)) == [(f"production: {reason.text}", None)]


def test_every_rule_that_keeps_it_out_is_named() -> None:
    reasons = (Reason("approvals", "0 of 1 approvals", "tidegate approve 01RUN"), Reason("placement", "it is moving"))
    assert [command for _, command in acts(stages=at_gate(*reasons))] == ["tidegate approve 01RUN", None]


def test_the_same_act_is_named_once() -> None:
    reason = Reason("line", "the line is stopped", "tidegate service resume SERVICE")
    assert len(acts(stages=(*at_gate(reason), *at_gate(reason)))) == 1


# during a rollout


@pytest.mark.parametrize(("count", "people"), [(1, "one approval"), (2, "2 approvals")])
def test_a_rollout_that_asks_people_names_the_share_and_the_command(count: int, people: str) -> None:
    plan = a_rollout(a_canary(5, ApprovalPoint(count), 50), VerifyRule()).plan
    rollout = rollout_at(RolloutState.ASKING, plan=plan)
    assert acts(rollouts=(rollout,)) == [
        (f"production: {people} before the share of 50%", "tidegate approve 01RUN"),
    ]


def test_a_rollout_that_holds_names_the_three_ways_on() -> None:
    rollout = replace(rollout_at(RolloutState.JUDGING), holds_because="no request in 3 batches")
    assert acts(rollouts=(rollout,)) == [
        ("production holds: no request in 3 batches. To go on", "tidegate promote 01RUN"),
        ("to go back", "tidegate cancel 01RUN"),
        ("to wait: it goes on by itself once that is known", "tidegate watch 01RUN --wait"),
    ]


@pytest.mark.parametrize("state", [RolloutState.MOVING, RolloutState.JUDGING, RolloutState.RETURNING])
def test_a_rollout_that_goes_on_by_itself_asks_for_nothing(state: RolloutState) -> None:
    assert acts(replace(WAITING, status=RunStatus.RUNNING), rollouts=(rollout_at(state),)) == []


def test_a_held_run_names_its_end_during_a_rollout_too() -> None:
    run = replace(WAITING, status=RunStatus.RUNNING, held_by="ben")
    assert acts(run, rollouts=(rollout_at(RolloutState.JUDGING),)) == [("held by ben", "tidegate resume 01RUN")]


# after the end


@pytest.mark.parametrize("status", [one for one in RunStatus if one.is_ended and one is not RunStatus.SUCCEEDED])
def test_a_run_that_did_not_succeed_can_be_tried_again(status: RunStatus) -> None:
    assert acts(replace(WAITING, status=status)) == [("to try again what did not pass", "tidegate retry 01RUN")]


def test_a_run_that_succeeded_leaves_nothing_to_do() -> None:
    assert acts(replace(WAITING, status=RunStatus.SUCCEEDED)) == []


def test_after_a_rollback_that_stopped_the_line_the_command_that_starts_it_is_named() -> None:
    run = replace(WAITING, status=RunStatus.ROLLED_BACK)
    found = next_acts(run, a_service(line_stopped_because="2 rollbacks in a row"), (), ())
    assert found[-1] == NextAct("2 rollbacks in a row", "tidegate service resume shop")


def test_a_run_whose_file_cannot_be_read_names_what_is_wrong_instead_of_a_retry() -> None:
    reason = Reason("file", "tidegate.yaml:3: unknown key", "tidegate validate")
    run = replace(a_run(None, status=RunStatus.FAILED), because=(reason,))
    assert acts(run) == [("tidegate.yaml:3: unknown key", "tidegate validate")]


def test_nothing_is_offered_for_a_service_that_was_removed() -> None:
    removed = replace(a_service(), removed_at=NOON)
    assert next_acts(replace(WAITING, status=RunStatus.FAILED), removed, (), ()) == ()


def test_commands_name_the_service_the_release_and_the_environment() -> None:
    remedies = ("tidegate service resume SERVICE", "tidegate deploy SERVICE --release R --env E")
    stages = at_gate(*(Reason(str(number), "why", remedy) for number, remedy in enumerate(remedies)))
    deploy = f"tidegate deploy {WAITING.service} --release {WAITING.label} --env {stages[0].environment}"
    named = [command for _, command in acts(stages=stages)]
    assert named == [f"tidegate service resume {WAITING.service}", deploy]


def test_a_run_that_waits_at_one_gate_after_another_names_what_ends_each() -> None:
    story = a_run_story(a_pipeline(deploy=a_canary(ApprovalPoint(1), 5, 50))).settle()
    assert story.status is RunStatus.WAITING
    assert told(story)[0].command == "tidegate approve 01RUN"
    story.answer(an_approval(ANNA, stage=STAGE_STAGING)).passes(STAGE_STAGING)
    assert [act.command for act in told(story)] == ["tidegate approve 01RUN"]
