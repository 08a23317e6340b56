"""A rollout begins through an opened gate, or by a person's word to go back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    NEW,
    NOON,
    OLD,
    PRODUCTION,
    ROLLING,
    STAGE_PRODUCTION,
    a_canary,
    a_deployment,
    a_pipeline,
    a_placement,
    a_release,
    a_step,
    serving,
)

from tidegate.model.deployment import Deployment
from tidegate.model.ids import RolloutId
from tidegate.model.pipeline import DeployRule, Stage, VerifyRule
from tidegate.model.rollout import Cause, RolloutKind, RolloutState
from tidegate.model.rollout_begin import Beginning, Opening, begin_release, begin_return, deployment_for

RELEASE = a_release(a_pipeline(), order=5)
SERVES = a_deployment(OLD, installed=2, order=4)


def begun(
    deploy: DeployRule | None = BLUE_GREEN,
    verify: VerifyRule | None = None,
    *,
    known: Deployment | None = None,
    old: Deployment | None = SERVES,
    highest: int = 4,
    with_steps: bool = False,
) -> Beginning:
    steps = (a_step("smoke"),) if with_steps else ()
    stage = Stage(STAGE_PRODUCTION, PRODUCTION, deploy=deploy, verify=verify, steps=steps)
    placement = replace(serving() if old else a_placement(), highest_order=highest)
    return begin_release(Opening(RolloutId("01R"), stage, "approved by anna", NOON), RELEASE, placement, known, old)


def test_a_release_begins_as_a_deployment_that_the_release_and_its_configuration_name() -> None:
    deployment = begun().deployment
    assert deployment.id == deployment_for(RELEASE, serving())
    assert (deployment.order, deployment.commit) == (5, RELEASE.change.commit)
    assert not deployment.present


def test_the_rollout_knows_whom_it_follows_and_who_opened_its_gate() -> None:
    rollout = begun().rollout
    assert (rollout.kind, rollout.state) == (RolloutKind.RELEASE, RolloutState.MOVING)
    assert (rollout.old, rollout.stage, rollout.opened_by) == (OLD, STAGE_PRODUCTION, "approved by anna")


def test_the_rollout_owns_the_placement_which_is_looked_at_at_once_but_has_not_moved_yet() -> None:
    placement = begun().placement
    assert (placement.rollout, placement.wake_at) == ("01R", NOON)
    assert (placement.generation, placement.arrangement) == (serving().generation, serving().arrangement)


@pytest.mark.parametrize(("before", "after"), [(0, 5), (4, 5), (9, 9)])
def test_the_placement_remembers_the_newest_release_it_ever_had(before: int, after: int) -> None:
    assert begun(highest=before).placement.highest_order == after


def test_a_first_release_follows_nothing() -> None:
    rollout = begun(a_canary(5, 50), VerifyRule(), old=None).rollout
    assert rollout.old is None
    assert [str(step.share) for step in rollout.plan] == ["100%"]


def test_the_plan_goes_from_the_old_deployments_instances_to_the_new_ones() -> None:
    rollout = begun(ROLLING, old=a_deployment(OLD, instances=4, installed=4)).rollout
    assert [(step.new_instances, step.old_instances) for step in rollout.plan] == [(1, 2), (2, 0)]


def test_a_canary_is_verified_even_where_the_file_does_not_say_how() -> None:
    assert begun(a_canary(5, 50)).rollout.verify == VerifyRule()
    assert begun(BLUE_GREEN).rollout.verify is None


@pytest.mark.parametrize("with_steps", [True, False])
def test_the_rollout_waits_for_its_stages_steps_where_it_has_some(with_steps: bool) -> None:
    assert begun(with_steps=with_steps).rollout.needs_steps is with_steps


def test_a_deployment_that_comes_again_keeps_what_is_known_of_it_and_is_quarantined_no_more() -> None:
    known = replace(a_deployment(NEW, installed=1), quarantined_at=NOON, quarantined_because="it crashed")
    deployment = begun(known=known).deployment
    assert (deployment.id, deployment.installed, deployment.ports) == (NEW, 1, known.ports)
    assert not deployment.is_quarantined
    assert deployment.quarantined_because is None


def test_a_persons_rollback_of_a_placement_at_rest_is_its_own_record() -> None:
    cause = Cause("rolled back by anna", True, ANNA)
    rollout, placement = begin_return(RolloutId("01R"), serving(NEW), SERVES, cause, NOON)
    assert (rollout.kind, rollout.new, rollout.old) == (RolloutKind.ROLLBACK, NEW, OLD)
    assert rollout.rollback_asked == cause
    assert (placement.rollout, placement.wake_at) == ("01R", NOON)
    assert rollout.run is None


def test_to_stop_a_service_is_to_go_back_to_nothing() -> None:
    rollout, _ = begin_return(RolloutId("01R"), serving(NEW), None, Cause("stopped by anna", False, ANNA), NOON)
    assert (rollout.kind, rollout.old) == (RolloutKind.STOP, None)
