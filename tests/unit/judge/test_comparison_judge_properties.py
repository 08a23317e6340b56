"""What holds for the judge whatever the figures are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case
from tidegate.model.figures import Batch, Counters
from tidegate.model.pipeline import LatencyRule, VerifyRule
from tidegate.model.verdict import Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
JUDGE = ComparisonJudge()
ERRORS_ONLY = VerifyRule(latency=LatencyRule(quantiles=()))

histograms = st.lists(st.integers(0, 200), min_size=len(EDGES) + 1, max_size=len(EDGES) + 1).map(tuple)


@st.composite
def sides(draw: st.DrawFn) -> Counters:
    latency = draw(histograms)
    requests = sum(latency)
    return Counters(requests, draw(st.integers(0, requests)), EDGES, latency, requests)


@st.composite
def rollouts(draw: st.DrawFn, *, holes: bool = False) -> list[Batch]:
    side = st.none() | sides() if holes else sides()
    pairs = draw(st.lists(st.tuples(side, side), min_size=1, max_size=8))
    changes = draw(st.integers(0, len(pairs)))
    return [
        Batch(NOON + timedelta(seconds=number), NOON + timedelta(seconds=number + 1), int(number >= changes), new, old)
        for number, (new, old) in enumerate(pairs)
    ]


def verdict(batches: list[Batch], rule: VerifyRule = ERRORS_ONLY, *, expects_baseline: bool = True) -> Verdict:
    return JUDGE.judge(Case(batches, batches[-1].step, rule, expects_baseline)).verdict


@given(rollouts(), st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_more_errors_of_the_new_deployment_never_turn_a_fail_into_a_pass(
    batches: list[Batch], data: st.DataObject
) -> None:
    batches = [batch for batch in batches for _ in range(8)]
    assume(verdict(batches) is Verdict.FAIL)
    place = data.draw(st.integers(0, len(batches) - 1))
    new = batches[place].canary
    assert new
    worse = replace(new, errors=data.draw(st.integers(new.errors, max(new.errors, new.requests))))
    more = [*batches[:place], replace(batches[place], canary=worse), *batches[place + 1 :]]
    assert verdict(more) is not Verdict.PASS


@given(sides(), sides(), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_of_two_sides_at_most_one_is_to_blame(one: Counters, other: Counters, times: int) -> None:
    def batches(new: Counters, old: Counters) -> list[Batch]:
        return [Batch(NOON, NOON + timedelta(seconds=1), 0, new, old)] * times

    assert [verdict(batches(one, other)), verdict(batches(other, one))].count(Verdict.FAIL) <= 1


@given(rollouts(holes=True), st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_figures_get_a_verdict_with_a_reason_and_sound_numbers(
    batches: list[Batch], expects_baseline: bool
) -> None:
    judgement = JUDGE.judge(Case(batches, batches[-1].step, VerifyRule(), expects_baseline))
    assert judgement.reason
    assert all(0 <= finding.evidence <= 1 for finding in judgement.metrics)
    assert (judgement.blamed is not None) == (judgement.verdict is Verdict.FAIL)


def _without(batch: Batch, lost: str) -> Batch:
    return replace(batch, canary=None) if lost == "new" else replace(batch, baseline=None)


@given(rollouts(holes=True), st.sampled_from(["new", "old"]))
@settings(max_examples=40, deadline=None)
def test_a_step_without_data_on_a_side_neither_passes_nor_fails(batches: list[Batch], lost: str) -> None:
    step = batches[-1].step
    without = [_without(batch, lost) if batch.step == step else batch for batch in batches]
    assert verdict(without) is Verdict.NO_DATA


@given(rollouts(holes=True))
@settings(max_examples=12, deadline=None)
def test_earlier_looks_change_nothing(batches: list[Batch]) -> None:
    step = batches[-1].step
    fresh = ComparisonJudge().judge(Case(batches, step, VerifyRule()))
    used = ComparisonJudge()
    for seen in reversed(range(len(batches) + 1)):
        used.judge(Case(batches[:seen], step, VerifyRule()))
    assert used.judge(Case(tuple(batches), step, VerifyRule())) == fresh


@given(rollouts())
@settings(max_examples=40, deadline=None)
def test_a_fail_is_always_within_the_stated_level(batches: list[Batch]) -> None:
    judgement = JUDGE.judge(Case(batches, batches[-1].step, VerifyRule()))
    for finding in judgement.metrics:
        if finding.verdict is Verdict.FAIL:
            assert finding.evidence <= judgement.level
