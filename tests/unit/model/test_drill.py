"""Drills: what is practised with, how far it goes, when one is due, and what is found to have gone wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    FAIL,
    HOUR,
    MINUTE,
    NEW,
    NOON,
    OLD,
    a_canary,
    a_deployment,
    a_pipeline,
    a_run,
)
from tests.unit.model.placement_story import PlacementStory, an_upgrade

from tidegate.model.drill import CAUSE, Drill, DrillState, Seen, drill_plan, ended
from tidegate.model.event import EventKind
from tidegate.model.ids import Commit, ReleaseId, RunId
from tidegate.model.installation import Installation, InstallationState, Instance, InstanceState, Route, Routing
from tidegate.model.notification import topic_of
from tidegate.model.pipeline import VerifyRule
from tidegate.model.recurrence import Recurrence
from tidegate.model.rollout import Cause, RolloutState
from tidegate.model.schedule import Schedule
from tidegate.model.share import WHOLE

VERIFY = VerifyRule(watch=HOUR)


def a_drill_of(story: PlacementStory, *, protected: bool = False) -> PlacementStory:
    plan = drill_plan(story.rollout.plan, protected=protected)
    story.state = replace(story.state, rollout=replace(story.rollout, plan=plan, drill=True))
    return story


@pytest.mark.parametrize("verify", [VERIFY, None])
def test_a_drill_goes_to_all_of_the_traffic_and_back_and_leaves_no_mark(verify: VerifyRule | None) -> None:
    story = a_drill_of(an_upgrade(a_canary(5, 50), verify))
    story.state = replace(story.state, placement=replace(story.placement, rollbacks_in_a_row=1))
    story.settle()
    assert [one for one in story.log if one.startswith("route")] == [f"route {NEW}=100%", f"route {OLD}=100%"]
    assert story.rollout.state is RolloutState.ROLLED_BACK and story.rollout.cause == Cause(CAUSE, False)
    new = story.deployment(NEW)
    assert new.proven_at is None and not new.is_quarantined and not story.incidents
    assert story.placement.rollbacks_in_a_row == 1, "neither a failure more nor a success"
    (decided,) = [one for one in story.events if one.kind is EventKind.ROLLBACK_DECIDED]
    assert topic_of(decided) is None, "nobody is alarmed"


def test_where_it_is_protected_it_goes_no_further_than_the_first_share() -> None:
    story = a_drill_of(an_upgrade(a_canary(5, 50), VERIFY), protected=True).settle()
    assert next(one for one in story.log if one.startswith("route")) == f"route {NEW}=5% {OLD}=95%"
    assert story.rollout.state is RolloutState.ROLLED_BACK


def test_what_cannot_be_installed_is_found_and_not_quarantined() -> None:
    story = a_drill_of(an_upgrade(BLUE_GREEN, VERIFY))
    story.broken.add(NEW)
    story.settle()
    assert story.rollout.cause and not story.rollout.cause.for_cause
    assert not story.deployment(NEW).is_quarantined and not story.incidents
    over = ended(DRILL, RUN, story.rollout, story.deployment(OLD), WELL, NOON)
    assert over and over.state is DrillState.FAILED
    assert over.went_wrong == ("it went back before it was to: it could not be installed: the command does not exist",)


def _drill() -> Drill:
    placement = an_upgrade(BLUE_GREEN).placement
    place = (placement.id, placement.service, placement.environment)
    bad, good = a_deployment(NEW), a_deployment(OLD)
    return Drill(RunId("r"), *place, ANNA, NOON, ReleaseId("x"), bad.commit, good.commit)


DRILL, STORY = _drill(), a_drill_of(an_upgrade(BLUE_GREEN)).settle()
RUN = replace(a_run(a_pipeline()), id=RunId("r"))
GOOD = STORY.deployment(OLD)
WELL = Seen(
    STORY.healthy(OLD, 2), Routing(STORY.placement.id, 8000, (Route(OLD, WHOLE, STORY.healthy(OLD, 2).healthy),))
)
HALF = Installation(InstallationState.READY, STORY.healthy(OLD, 1).instances)
DEAD = Installation(InstallationState.READY, (Instance(0, STORY.healthy(OLD, 1).healthy[0], InstanceState.FAILED),))


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (WELL, []),
        (replace(WELL, installation=HALF), ["1 of 2 instances"]),
        (replace(WELL, installation=DEAD), ["0 of 2 instances"]),
        (replace(WELL, installation=None), ["the target does not answer"]),
        (replace(WELL, routing=None), ["the router does not say"]),
        (replace(WELL, routing=Routing(STORY.placement.id, 8000, ())), ["nothing serves"]),
        (replace(WELL, routing=Routing(STORY.placement.id, 8000, (Route(NEW, WHOLE, ()),))), [str(NEW)]),
    ],
)
def test_it_went_well_only_where_the_last_good_deployment_serves_whole(seen: Seen, wrong: list[str]) -> None:
    over = ended(DRILL, RUN, STORY.rollout, GOOD, seen, NOON + MINUTE)
    assert over is not None and over.is_ended
    assert len(over.went_wrong) == len(wrong)
    assert all(words in said for words, said in zip(wrong, over.went_wrong, strict=True))
    assert over.state is (DrillState.FAILED if wrong else DrillState.PASSED)
    assert over.seconds is not None and over.whole_seconds is not None and over.whole_seconds >= over.seconds


def test_it_says_what_it_went_back_to_where_another_release_came_first() -> None:
    waited = replace(DRILL, good_commit=Commit("0" * 40))
    over = ended(waited, RUN, STORY.rollout, GOOD, WELL, NOON + MINUTE)
    assert over is not None and over.state is DrillState.PASSED
    assert over.good_commit == GOOD.commit


def test_it_goes_on_while_its_rollout_does() -> None:
    moving = replace(STORY.rollout, state=RolloutState.RETURNING)
    assert ended(DRILL, RUN, moving, GOOD, WELL, NOON) is None


NIGHTLY = Recurrence(schedule=Schedule("30 3 * * *", "UTC"))
NIGHT = NOON.replace(hour=3, minute=30)


@pytest.mark.parametrize(
    ("rule", "last", "now", "due"),
    [
        (Recurrence(every=7 * 24 * HOUR), None, NOON, True),
        (Recurrence(every=HOUR), NOON - HOUR, NOON, True),
        (Recurrence(every=HOUR), NOON - MINUTE, NOON, False),
        (NIGHTLY, None, NIGHT, True),
        (NIGHTLY, None, NIGHT - MINUTE, False),
        (NIGHTLY, None, NIGHT + 59 * MINUTE, True),
        (NIGHTLY, None, NIGHT + timedelta(hours=1), False),
        (NIGHTLY, NIGHT + MINUTE, NIGHT + 2 * MINUTE, False),
        (NIGHTLY, NIGHT - MINUTE, NIGHT, True),
    ],
)
def test_when_a_drill_is_due(rule: Recurrence, last: object, now: object, due: bool) -> None:
    assert rule.is_due(last, now) is due  # type: ignore[arg-type]


def test_a_verdict_during_a_drill_quarantines_nothing() -> None:
    story = a_drill_of(an_upgrade(BLUE_GREEN, VERIFY))
    story.slow.add(NEW)
    story.settle().hear(FAIL)
    assert not story.incidents and not story.deployment(NEW).is_quarantined
