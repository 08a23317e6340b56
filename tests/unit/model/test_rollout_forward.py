"""A rollout on its way forward: what it waits for at each share, and what makes it go back."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import (
    ANNA,
    BEN,
    BLUE_GREEN,
    FAIL,
    HOUR,
    MINUTE,
    NEW,
    NO_DATA,
    NOON,
    OLD,
    PASS,
    PRODUCTION,
    ROLLING,
    SECOND,
    UNDECIDED,
    a_canary,
    a_step,
    an_approval,
    endpoints,
    percent,
)
from tests.unit.model.placement_story import PlacementStory, a_first_release, an_upgrade, is_at_rest_with
from tests.unit.model.test_load import a_ramp

from tidegate.model.approval import Answer
from tidegate.model.event import EventKind
from tidegate.model.installation import Installation, InstallationState, Instance, InstanceState
from tidegate.model.load import LoadRule
from tidegate.model.pipeline import ApprovalPoint, OnDoubt, SharePoint, VerifyRule
from tidegate.model.rollout import Cause, RolloutState
from tidegate.model.rollout_forward import SUSPECTED_AT_MOST
from tidegate.model.verdict import Judgement

CRASHED = Installation(InstallationState.FAILED, detail="it ended 5 times within a minute")
VERIFY = VerifyRule(at_most=10 * MINUTE)


def a_canary_story(verify: VerifyRule = VERIFY) -> PlacementStory:
    """At its first share of 5%, with 50% and the whole before it."""
    return an_upgrade(a_canary(5, 50), verify, instances=4, old=4).settle()


def an_asking_story() -> PlacementStory:
    """At 5%, waiting for two people before 50%."""
    story = an_upgrade(a_canary(5, ApprovalPoint(2), 50), VERIFY, instances=4, old=4).settle()
    return story.hear(PASS)


def went_back(story: PlacementStory) -> bool:
    return story.rollout.state is RolloutState.ROLLED_BACK and is_at_rest_with(story, OLD, 4)


# from share to share


def test_a_canary_that_passes_each_share_ends_with_all_of_the_traffic() -> None:
    story = a_canary_story()
    seen = [story.shares[NEW]]
    for _ in range(3):
        seen.append(story.hear(PASS).shares[NEW])
    assert seen == ["5%", "50%", "100%", "100%"]
    assert story.rollout.state is RolloutState.WATCHING


def test_the_evidence_for_passing_is_collected_anew_at_each_share() -> None:
    story = a_canary_story().hear(PASS)
    assert (story.rollout.step, story.rollout.judgement) == (1, None)
    story.wait(MINUTE)
    assert story.shares[NEW] == "50%"


def test_a_share_is_given_at_least_its_time_however_good_it_looks() -> None:
    rule = a_canary(SharePoint(percent(5), 5 * MINUTE), 50)
    story = an_upgrade(rule, VERIFY, instances=4, old=4).settle().hear(PASS)
    assert story.shares[NEW] == "5%"
    assert story.placement.wake_at is not None
    assert story.wait(5 * MINUTE).shares[NEW] == "50%"


def test_a_pass_that_came_before_the_soak_was_over_counts_when_it_is() -> None:
    story = an_upgrade(BLUE_GREEN, VerifyRule(soak=2 * MINUTE)).settle().hear(PASS)
    assert story.rollout.state is RolloutState.JUDGING
    assert story.wait(2 * MINUTE).rollout.state is RolloutState.WATCHING


def test_a_rolling_rollout_replaces_one_instance_after_another_without_a_verdict() -> None:
    story = an_upgrade(ROLLING, instances=3, old=3).settle()
    split = [line.split()[1] for line in story.log if line.startswith("route")]
    assert split == [f"{NEW}=33.33%", f"{NEW}=66.66%", f"{NEW}=100%"]
    assert story.rollout.state is RolloutState.WATCHING
    assert is_at_rest_with(story, NEW, 3)


def test_a_first_release_gets_all_of_the_traffic_once_it_is_healthy() -> None:
    story = a_first_release(a_canary(5, 50), VERIFY).settle()
    assert story.shares == {NEW: "100%"}
    assert story.hear(PASS).rollout.state is RolloutState.WATCHING


def test_what_passed_is_proven_and_the_count_of_rollbacks_begins_again() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.state = replace(story.state, placement=replace(story.placement, rollbacks_in_a_row=1))
    story.settle()
    assert story.deployment(NEW).proven_at == NOON
    assert story.placement.rollbacks_in_a_row == 0
    assert story.said(EventKind.ROLLOUT_PASSED) == ["cccccccc passed in production"]


def test_what_passed_without_a_user_says_so_in_the_record() -> None:
    story = a_first_release(a_canary(5, 50), VERIFY).settle().hear(replace(PASS, only_synthetic=True))
    (said,) = story.said(EventKind.ROLLOUT_PASSED)
    assert said.endswith("passed in production, verified by synthetic requests and health alone: no user asked")


def test_the_last_share_waits_for_the_stages_steps() -> None:
    story = an_upgrade(BLUE_GREEN)
    story.people_say(needs_steps=True).settle()
    assert story.rollout.state is RolloutState.JUDGING
    assert story.people_say(steps_passed=True).rollout.state is RolloutState.WATCHING


# people between two shares


def test_a_canary_asks_people_before_the_share_that_the_file_names() -> None:
    story = an_asking_story()
    assert story.rollout.state is RolloutState.ASKING
    assert story.shares[NEW] == "5%"
    assert story.said(EventKind.ROLLOUT_HOLDS) == ["waits for 2 approvals"]


def test_the_same_person_twice_does_not_open_a_share_that_asks_for_two() -> None:
    story = an_asking_story().answer(an_approval(ANNA, point=1), an_approval(ANNA, point=1, at=NOON + SECOND))
    assert story.rollout.state is RolloutState.ASKING


def test_two_people_open_the_share_and_the_record_names_them() -> None:
    story = an_asking_story().answer(an_approval(ANNA, point=1), an_approval(BEN, point=1))
    assert story.shares[NEW] == "50%"
    assert story.said(EventKind.ROLLOUT_STEP) == ["50% approved by anna, ben"]


def test_an_approval_of_the_gate_is_no_approval_of_a_later_share() -> None:
    story = an_asking_story().answer(an_approval(ANNA, point=0), an_approval(BEN, point=0))
    assert story.rollout.state is RolloutState.ASKING


def test_a_persons_no_between_two_shares_rolls_back_for_cause() -> None:
    story = an_asking_story().answer(an_approval(BEN, Answer.REJECTED, point=1, comment="the carts look odd"))
    assert went_back(story)
    because = story.deployment(NEW).quarantined_because or ""
    assert because.startswith("rejected by ben")
    assert because.endswith("the carts look odd")
    assert story.rollout.cause is not None and story.rollout.cause.actor == BEN


def test_a_breach_rolls_back_even_while_a_person_is_being_waited_for() -> None:
    story = an_asking_story().hear(FAIL)
    assert went_back(story)
    assert story.deployment(NEW).is_quarantined


def test_a_crash_rolls_back_even_while_a_person_is_being_waited_for() -> None:
    assert went_back(an_asking_story().hear(None, new=CRASHED))


def test_a_held_rollout_does_not_go_on_though_people_said_yes() -> None:
    story = an_asking_story().people_say(held=True)
    story.answer(an_approval(ANNA, point=1), an_approval(BEN, point=1))
    assert story.shares[NEW] == "5%"
    assert story.people_say(held=False).shares[NEW] == "50%"


# holding and promoting


def test_a_held_rollout_does_not_go_on_though_it_passes() -> None:
    story = a_canary_story().people_say(held=True).hear(PASS)
    assert story.shares[NEW] == "5%"
    assert story.people_say(held=False).shares[NEW] == "50%"


def test_a_held_rollout_still_goes_back_when_it_does_harm() -> None:
    story = a_canary_story().people_say(held=True).hear(FAIL)
    assert went_back(story)
    assert not story.rollout.held


def test_a_person_ends_a_share_now_whatever_the_evidence_says_so_far() -> None:
    rule = a_canary(SharePoint(percent(5), HOUR), 50)
    story = an_upgrade(rule, VERIFY, instances=4, old=4).settle()
    assert story.people_say(promote_step=0, promoted_by="anna").shares[NEW] == "50%"


def test_a_promotion_ends_one_share_only() -> None:
    story = a_canary_story().people_say(promote_step=0, promoted_by="anna").wait(MINUTE)
    assert story.shares[NEW] == "50%"


def test_a_promotion_does_not_stand_in_for_the_people_who_are_asked_before_the_next_share() -> None:
    story = an_upgrade(a_canary(5, ApprovalPoint(1), 50), VERIFY, instances=4, old=4).settle()
    story.people_say(promote_step=0, promoted_by="anna")
    assert story.rollout.state is RolloutState.ASKING
    assert story.shares[NEW] == "5%"


def test_a_person_who_ends_the_last_share_is_named_in_the_record() -> None:
    story = an_upgrade(BLUE_GREEN, VERIFY).settle().people_say(promote_step=0, promoted_by="anna")
    (passed,) = [event for event in story.events if event.kind is EventKind.ROLLOUT_PASSED]
    assert passed.actor == ANNA


# harm


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_harm_at_any_share_rolls_back_and_quarantines(passes: int) -> None:
    story = a_canary_story()
    for _ in range(passes):
        story.hear(PASS)
    assert went_back(story.hear(FAIL))
    assert story.deployment(NEW).quarantined_because == f"verification failed: {FAIL.reason}"


def test_harm_within_a_shares_least_time_rolls_back_at_once() -> None:
    story = an_upgrade(a_canary(SharePoint(percent(5), HOUR), 50), VERIFY, instances=4, old=4).settle()
    assert went_back(story.hear(FAIL))


def test_a_deployment_that_crashes_while_it_is_watched_goes_back() -> None:
    story = an_upgrade(BLUE_GREEN, VerifyRule(watch=HOUR), instances=4, old=4).settle().hear(PASS)
    assert story.rollout.state is RolloutState.WATCHING
    assert went_back(story.hear(None, new=CRASHED))


def test_harm_during_the_watch_brings_back_a_deployment_that_was_already_removed() -> None:
    story = an_upgrade(a_canary(5, keep_warm=MINUTE), VerifyRule(watch=HOUR), instances=4, old=4)
    story.settle().hear(PASS).hear(PASS).wait(5 * MINUTE)
    assert is_at_rest_with(story, NEW, 4)
    story.log.clear()
    assert went_back(story.hear(FAIL))
    assert story.log[:2] == [f"install 4 of {OLD}", f"route {OLD}=100%"]


def test_a_verdict_says_when_the_instances_ended_by_themselves() -> None:
    instance = Instance(0, endpoints((9200,))[0], InstanceState.HEALTHY, restarts=3)
    story = a_canary_story().hear(FAIL, new=Installation(InstallationState.READY, (instance,)))
    assert story.rollout.cause is not None
    assert story.rollout.cause.text.endswith("its instances ended by themselves 3 times")


def test_what_cannot_be_installed_goes_back_for_cause_without_a_request_to_it() -> None:
    story = an_upgrade(a_canary(5, 50), VERIFY, instances=4, old=4)
    story.broken.add(NEW)
    assert went_back(story.settle())
    assert story.deployment(NEW).quarantined_because == "it could not be installed: the command does not exist"
    assert all(set(routing.routes[0].endpoints) for routing in story.told)
    assert story.shares == {OLD: "100%"}


# no data and no answer


def hear_for(story: PlacementStory, judgement: Judgement | None, batches: int) -> PlacementStory:
    for _ in range(batches):
        story.hear(judgement)
    return story


@pytest.mark.parametrize("judgement", [NO_DATA, None])
def test_no_data_is_neither_a_pass_nor_a_fail(judgement: Judgement | None) -> None:
    story = hear_for(a_canary_story(), judgement, 30)
    assert story.rollout.state is RolloutState.JUDGING
    assert story.shares[NEW] == "5%"
    assert not story.deployment(NEW).is_quarantined


def test_a_rollout_without_data_holds_after_three_batches_and_says_once_what_ends_it() -> None:
    story = hear_for(a_canary_story(), NO_DATA, 3)
    assert story.said(EventKind.ROLLOUT_HOLDS) == []
    hear_for(story, NO_DATA, 20)
    assert story.said(EventKind.ROLLOUT_HOLDS) == [
        "holds: no request in 3 batches; to go on: tidegate promote 01RUN; to go back: tidegate cancel 01RUN"
    ]
    assert story.rollout.holds_because == NO_DATA.reason


def test_a_rollout_that_held_goes_on_when_data_comes_and_it_passes() -> None:
    story = hear_for(a_canary_story(), NO_DATA, 10).hear(PASS)
    assert story.shares[NEW] == "50%"
    assert story.rollout.holds_because is None


def test_a_rollout_no_longer_says_that_it_holds_once_there_is_data() -> None:
    story = hear_for(a_canary_story(), NO_DATA, 10)
    assert story.hear(UNDECIDED).rollout.holds_because is None


@pytest.mark.parametrize(("judgement", "field"), [(NO_DATA, "no_data"), (UNDECIDED, "undecided")])
@pytest.mark.parametrize("answer", list(OnDoubt))
def test_when_the_time_is_over_a_rollout_without_an_answer_does_what_the_file_says(
    judgement: Judgement, field: str, answer: OnDoubt
) -> None:
    verify = replace(VERIFY, no_data=OnDoubt.HOLD, undecided=OnDoubt.HOLD)
    story = a_canary_story(replace(verify, **{field: answer}))  # type: ignore[arg-type]
    hear_for(story, judgement, 60)
    assert story.shares[NEW] == "5%"
    hear_for(story, judgement, 2)
    match answer:
        case OnDoubt.PROMOTE:
            assert [line for line in story.log if f"{NEW}=50%" in line]
            said = story.said(EventKind.ROLLOUT_STEP)[0]
            key = "no_data" if judgement is NO_DATA else "undecided"
            assert said.startswith("goes on without an answer after 10m, as the file says")
            assert said.endswith(f"({key}: promote): {judgement.reason}")
        case OnDoubt.ROLLBACK:
            assert went_back(story)
            assert not story.deployment(NEW).is_quarantined, "nobody knows that it is to blame"
        case OnDoubt.HOLD:
            assert story.shares[NEW] == "5%"
            assert story.rollout.holds_because == judgement.reason


@pytest.mark.parametrize(("judgement", "other"), [(NO_DATA, "undecided"), (UNDECIDED, "no_data")])
def test_each_doubt_follows_its_own_rule(judgement: Judgement, other: str) -> None:
    story = a_canary_story(replace(VERIFY, **{other: OnDoubt.ROLLBACK}))  # type: ignore[arg-type]
    assert hear_for(story, judgement, 70).rollout.state is RolloutState.JUDGING


def test_the_time_for_an_answer_is_that_of_all_shares_together() -> None:
    story = a_canary_story(replace(VERIFY, undecided=OnDoubt.ROLLBACK))
    hear_for(story, UNDECIDED, 40).hear(PASS)
    assert story.shares[NEW] == "50%"
    hear_for(story, UNDECIDED, 19)
    assert story.shares[NEW] == "50%"
    hear_for(story, UNDECIDED, 3)
    assert went_back(story)


@pytest.mark.parametrize("answer", [OnDoubt.ROLLBACK, OnDoubt.PROMOTE])
def test_a_share_that_begins_when_the_time_is_over_is_not_in_doubt_before_its_first_figures(answer: OnDoubt) -> None:
    story = hear_for(a_canary_story(replace(VERIFY, no_data=answer)), UNDECIDED, 65).hear(PASS)
    assert story.rollout.state is RolloutState.JUDGING
    assert story.shares[NEW] == "50%"


def test_a_share_that_begins_when_the_time_is_over_does_not_say_at_once_that_it_holds() -> None:
    story = hear_for(a_canary_story(), UNDECIDED, 50).hear(PASS)
    hear_for(story, UNDECIDED, 10).hear(PASS)
    assert story.shares[NEW] == "100%"
    assert story.said(EventKind.ROLLOUT_HOLDS) == []


def test_the_time_in_which_people_are_waited_for_is_not_taken_from_the_verification() -> None:
    verify = replace(VERIFY, undecided=OnDoubt.ROLLBACK)
    story = an_upgrade(a_canary(5, ApprovalPoint(1), 50), verify, instances=4, old=4).settle().hear(PASS)
    story.wait(HOUR).answer(an_approval(ANNA, point=1))
    assert story.shares[NEW] == "50%"
    assert hear_for(story, UNDECIDED, 5).rollout.state is RolloutState.JUDGING


# the watch


def test_after_the_whole_a_rollout_is_watched_and_then_ends() -> None:
    story = an_upgrade(BLUE_GREEN, VerifyRule(watch=HOUR)).settle().hear(PASS)
    story.state = replace(story.state, run_open=False)
    assert story.wait(HOUR - SECOND).rollout.state is RolloutState.WATCHING
    assert story.wait(SECOND).rollout.state is RolloutState.SUCCEEDED
    assert story.said(EventKind.ROLLOUT_ENDED) == ["production: the rollout succeeded and is no longer watched"]


def test_a_watch_does_not_end_while_something_looks_like_harm_that_came_late() -> None:
    suspects = replace(UNDECIDED, suspects=True)
    story = an_upgrade(BLUE_GREEN, VerifyRule(watch=HOUR), instances=4, old=4).settle().hear(PASS)
    story.state = replace(story.state, run_open=False)
    story.wait(HOUR - SECOND).hear(suspects)
    assert story.wait(2 * SECOND).rollout.state is RolloutState.WATCHING
    assert went_back(deepcopy(story).hear(FAIL))
    assert deepcopy(story).hear(PASS).rollout.state is RolloutState.SUCCEEDED
    assert story.wait(SUSPECTED_AT_MOST).rollout.state is RolloutState.SUCCEEDED


def test_verification_goes_on_while_a_person_is_waited_for_at_a_gate_after_the_placement() -> None:
    """The run is open as long as a later gate waits, and so is the watch, whatever its own time."""
    story = an_upgrade(BLUE_GREEN, VerifyRule(), instances=4, old=4).settle().hear(PASS).wait(3 * HOUR)
    assert story.rollout.state is RolloutState.WATCHING
    assert went_back(story.hear(FAIL))


def test_figures_are_read_again_and_again_until_a_rollout_has_ended() -> None:
    story = a_canary_story()
    for judgement in (UNDECIDED, PASS, PASS, PASS, None):
        assert story.rollout.measure_at is not None
        assert story.placement.wake_at is not None
        story.hear(judgement)


def test_a_person_takes_a_watched_rollout_back() -> None:
    story = an_upgrade(BLUE_GREEN, VerifyRule(watch=HOUR), instances=4, old=4).settle().hear(PASS)
    assert went_back(story.people_say(rollback_asked=Cause("rolled back by anna", True, ANNA)))


def test_the_times_of_a_step_begin_when_the_router_confirmed_it() -> None:
    story = an_upgrade(a_canary(SharePoint(percent(5), MINUTE), 50), VERIFY, instances=4, old=4)
    story.away = "the target does not answer"
    story.settle().wait(HOUR)
    assert story.rollout.state is RolloutState.MOVING
    story.away = ""
    story.settle()
    assert story.rollout.step_since == NOON + HOUR
    assert story.hear(PASS).shares[NEW] == "5%"
    assert story.wait(timedelta(minutes=1)).shares[NEW] == "50%"


# the stage's checks, and its load check


LOADED = replace(VERIFY, load=replace(a_step("load check"), load=LoadRule(PRODUCTION, 1.0)))


def waits_for_load(verify: VerifyRule = LOADED) -> PlacementStory:
    """All else is in."""
    return an_upgrade(BLUE_GREEN, verify).settle().hear(PASS)


def tell(story: PlacementStory, **changes: object) -> PlacementStory:
    """The run's decision told the rollout something."""
    story.state = replace(story.state, rollout=replace(story.rollout, **changes))  # type: ignore[arg-type]
    return story.settle()


def test_the_load_check_is_due_when_all_else_is_in_and_not_before() -> None:
    story = an_upgrade(BLUE_GREEN, replace(LOADED, soak=MINUTE)).settle().hear(PASS)
    assert not story.rollout.is_under_load
    story = story.wait(MINUTE)
    assert (story.rollout.load_due_at, story.rollout.state) == (NOON + MINUTE, RolloutState.JUDGING)
    assert story.rollout.is_under_load


def test_a_rollout_passes_with_its_load_check() -> None:
    story = tell(waits_for_load(), load=a_ramp())
    assert story.rollout.state is RolloutState.WATCHING
    assert not story.rollout.is_under_load


def test_a_person_may_end_the_wait_for_a_load_check() -> None:
    story = tell(waits_for_load(), promote_step=0, promoted_by="anna")
    assert story.rollout.state is RolloutState.WATCHING
    assert not story.rollout.is_under_load


def test_a_held_rollout_begins_no_load_check() -> None:
    story = an_upgrade(BLUE_GREEN, LOADED).settle()
    assert tell(story, held=True).hear(PASS).rollout.load_due_at is None
    assert tell(story, held=False).rollout.load_due_at is not None


def test_a_check_that_says_nothing_is_told_and_holds() -> None:
    story = tell(waits_for_load(), lacks="load check: this agent has no load tool")
    assert story.rollout.holds_because == "load check: this agent has no load tool"
    (said,) = story.said(EventKind.ROLLOUT_HOLDS)
    assert "to go on: tidegate promote" in said
    assert tell(story, lacks=None).rollout.holds_because is None


@pytest.mark.parametrize(
    ("no_data", "state"),
    [
        (OnDoubt.HOLD, RolloutState.JUDGING),
        (OnDoubt.PROMOTE, RolloutState.WATCHING),
        (OnDoubt.ROLLBACK, RolloutState.ROLLED_BACK),
    ],
)
@pytest.mark.parametrize("lacks", ["a check", "the load check"])
def test_what_says_nothing_until_the_time_is_up_is_no_data(no_data: OnDoubt, state: RolloutState, lacks: str) -> None:
    story = waits_for_load(replace(LOADED if lacks == "the load check" else VERIFY, no_data=no_data))
    if lacks == "a check":
        story = an_upgrade(BLUE_GREEN, replace(VERIFY, no_data=no_data)).settle()
        story = tell(story, needs_steps=True).hear(PASS)
    story = tell(story, lacks="its agent was lost")
    assert story.rollout.state is RolloutState.JUDGING
    story.wait(VERIFY.at_most)
    assert story.rollout.state is state
    assert story.rollout.cause is None or not story.rollout.cause.for_cause
