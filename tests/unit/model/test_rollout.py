"""A strategy is a list of arrangements: the way from the old deployment to the whole of the new one."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import BLUE_GREEN, MINUTE, ROLLING, UNHURRIED, a_canary, percent

from tidegate.model.pipeline import ApprovalPoint, DeployRule, RolloutPoint, SharePoint, Strategy, VerifyRule
from tidegate.model.rollout import RolloutState, RolloutStep, plan_rollout
from tidegate.model.share import NONE, WHOLE, WHOLE_PARTS, Share

VERIFY = VerifyRule(soak=2 * MINUTE)


def shares(plan: tuple[RolloutStep, ...]) -> list[str]:
    return [str(step.share) for step in plan]


def instances(plan: tuple[RolloutStep, ...]) -> list[tuple[int, int]]:
    return [(step.new_instances, step.old_instances) for step in plan]


# blue-green


def test_blue_green_switches_all_of_the_traffic_at_once_beside_the_whole_old_deployment() -> None:
    assert plan_rollout(BLUE_GREEN, 3, None, old=2) == (RolloutStep(WHOLE, 3, 2, judged=False),)


@pytest.mark.parametrize("rule", [BLUE_GREEN, ROLLING, a_canary(5, 50), a_canary(ApprovalPoint(1), 5)])
def test_where_nothing_serves_there_is_nothing_to_go_on_beside(rule: DeployRule) -> None:
    (step,) = plan_rollout(rule, 3, VERIFY, old=0)
    assert step == RolloutStep(WHOLE, 3, 0, judged=True, at_least=2 * MINUTE)


@pytest.mark.parametrize("rule", [BLUE_GREEN, ROLLING])
def test_without_a_verify_nothing_is_judged(rule: DeployRule) -> None:
    assert not any(step.judged for step in plan_rollout(rule, 3, None, old=3))


# rolling


def test_rolling_replaces_one_instance_after_another_and_judges_the_whole() -> None:
    plan = plan_rollout(ROLLING, 4, VERIFY, old=4)
    assert instances(plan) == [(1, 3), (2, 2), (3, 1), (4, 0)]
    assert shares(plan) == ["25%", "50%", "75%", "100%"]
    assert [step.judged for step in plan] == [False, False, False, True]
    assert plan[-1].at_least == 2 * MINUTE


def test_rolling_a_single_instance_is_one_step() -> None:
    assert instances(plan_rollout(ROLLING, 1, None, old=1)) == [(1, 0)]


@pytest.mark.parametrize(
    ("new", "old", "wanted"),
    [(2, 6, [(1, 3), (2, 0)]), (3, 1, [(1, 1), (2, 1), (3, 0)]), (4, 2, [(1, 2), (2, 1), (3, 1), (4, 0)])],
)
def test_rolling_to_another_number_of_instances_keeps_enough_old_ones_for_what_is_left(
    new: int, old: int, wanted: list[tuple[int, int]]
) -> None:
    assert instances(plan_rollout(ROLLING, new, None, old=old)) == wanted


# canary


def test_a_canary_goes_through_its_shares_and_then_to_the_whole() -> None:
    plan = plan_rollout(a_canary(1, 5, 25), 4, VERIFY, old=4)
    assert shares(plan) == ["1%", "5%", "25%", "100%"]
    assert all(step.judged for step in plan)


def test_a_canary_grows_to_its_share_of_the_instances_while_the_old_ones_stay_whole() -> None:
    assert instances(plan_rollout(a_canary(1, 25, 50), 4, VERIFY, old=3)) == [(1, 3), (1, 3), (2, 3), (4, 3)]


def test_a_canary_of_one_instance_only_has_one_at_each_share() -> None:
    assert instances(plan_rollout(a_canary(5, 50), 1, VERIFY, old=1)) == [(1, 1), (1, 1), (1, 1)]


def test_each_share_is_given_the_time_that_the_file_says_and_the_whole_its_soak() -> None:
    plan = plan_rollout(a_canary(5, SharePoint(percent(50), 5 * MINUTE)), 4, VERIFY, old=4)
    assert [step.at_least for step in plan] == [timedelta(0), 5 * MINUTE, 2 * MINUTE]


def test_people_are_asked_before_the_share_that_follows() -> None:
    plan = plan_rollout(a_canary(1, ApprovalPoint(2), 25, ApprovalPoint(1)), 4, VERIFY, old=4)
    assert [(str(step.share), step.approvals) for step in plan] == [("1%", 0), ("25%", 2), ("100%", 1)]


def test_two_points_at_which_people_are_asked_become_the_stricter_one() -> None:
    plan = plan_rollout(a_canary(1, ApprovalPoint(2), ApprovalPoint(1), 25), 4, VERIFY, old=4)
    assert [step.approvals for step in plan] == [0, 2, 0]


def test_who_is_to_be_asked_before_the_first_share_is_asked_at_the_gate_and_not_again() -> None:
    plan = plan_rollout(a_canary(ApprovalPoint(2), 5, 50), 4, VERIFY, old=4)
    assert [step.approvals for step in plan] == [0, 0, 0]


def test_people_who_are_asked_before_a_share_that_is_left_out_are_asked_before_the_next() -> None:
    plan = plan_rollout(a_canary(25, ApprovalPoint(1), 5, 50), 4, VERIFY, old=4)
    assert [(str(step.share), step.approvals) for step in plan] == [("25%", 0), ("50%", 1), ("100%", 0)]


points = st.lists(
    st.builds(ApprovalPoint, st.integers(1, 3)) | st.integers(1, 10_000).map(lambda parts: SharePoint(Share(parts))),
    max_size=6,
)
strategies = st.sampled_from(Strategy)


@UNHURRIED
@given(
    strategy=strategies,
    through=points,
    new=st.integers(1, 12),
    old=st.integers(0, 12),
    verify=st.sampled_from([VERIFY, None]),
)
def test_every_plan_only_grows_ends_with_the_whole_and_never_gives_a_share_to_too_few_instances(
    strategy: Strategy, through: list[RolloutPoint], new: int, old: int, verify: VerifyRule | None
) -> None:
    plan = plan_rollout(DeployRule(strategy, tuple(through)), new, verify, old=old)
    assert plan[-1].share == WHOLE
    assert plan[-1].new_instances == new
    for before, after in pairwise(plan):
        assert before.share < after.share
        assert before.new_instances <= after.new_instances
    for step in plan:
        assert step.new_instances >= step.share.of(new) > 0
        if step.share.rest > NONE:
            # up to the ten-thousandth to which a share is rounded
            assert (step.old_instances * WHOLE_PARTS) >= (step.share.rest.parts - 1) * old
            assert step.old_instances > 0


@UNHURRIED
@given(through=points, new=st.integers(1, 12), old=st.integers(1, 12))
def test_no_persons_word_that_the_file_asks_for_is_lost_after_the_first_share(
    through: list[RolloutPoint], new: int, old: int
) -> None:
    plan = plan_rollout(DeployRule(Strategy.CANARY, tuple(through)), new, VERIFY, old=old)
    first = next((at for at, point in enumerate(through) if isinstance(point, SharePoint)), len(through))
    before_whole = next(
        (at for at, point in enumerate(through) if isinstance(point, SharePoint) and point.share == WHOLE), len(through)
    )
    asked = [point.count for point in through[first:before_whole] if isinstance(point, ApprovalPoint)]
    assert max((step.approvals for step in plan), default=0) == max(asked, default=0)


def test_a_rollout_that_is_watched_leaves_the_placement_to_the_next_one() -> None:
    owning = {state for state in RolloutState if state.owns_placement}
    assert owning == {RolloutState.MOVING, RolloutState.JUDGING, RolloutState.ASKING, RolloutState.RETURNING}
    ended = {RolloutState.SUCCEEDED, RolloutState.ROLLED_BACK, RolloutState.HELD}
    assert {state for state in RolloutState if state.is_ended} == ended
