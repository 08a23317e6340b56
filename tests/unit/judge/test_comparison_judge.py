"""What the judge says of a rollout: harm fails it, proof of no harm passes it, and no data does neither."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidegate.judge.comparison import ComparisonJudge
from tidegate.judge.judge import Case, Judge
from tidegate.judge.rollout_state import RolloutState, Standard
from tidegate.model.figures import Batch, Counters
from tidegate.model.metric import Counted, HistoryBatch, Spread
from tidegate.model.metric_history import MOST_TO_LEARN_FROM
from tidegate.model.pipeline import LatencyRule, SyntheticTraffic, VerifyRule
from tidegate.model.verdict import Judgement, Verdict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = (
    1.0,
    2.0,
    3.0,
    5.0,
    7.0,
    10.0,
    12.0,
    15.0,
    18.0,
    22.0,
    27.0,
    33.0,
    40.0,
    60.0,
    90.0,
    130.0,
    200.0,
    400.0,
    1000.0,
)
ERRORS_ONLY = VerifyRule(latency=LatencyRule(quantiles=()))


@dataclass(frozen=True, slots=True)
class Version:
    """How a version behaves: the share of its requests that fail, the median of its latency, and how that is spread."""

    fails: float = 0.001
    milliseconds: float = 10.0
    spread: float = 0.4


HEALTHY = Version()
JUDGE = ComparisonJudge()
"""One for all: what it keeps of a rollout makes the next look quick, and changes no answer."""


def serve(rng: np.random.Generator, version: Version, requests: float) -> Counters:
    count = int(rng.poisson(requests))
    took = rng.lognormal(np.log(version.milliseconds), version.spread, count)
    places = np.bincount(np.searchsorted(EDGES, took), minlength=len(EDGES) + 1)
    return Counters(count, int(rng.binomial(count, version.fails)), EDGES, tuple(int(n) for n in places), count)


def traffic(
    new: Version,
    old: Version | None = HEALTHY,
    *,
    share: float = 0.2,
    per_second: float = 60.0,
    batches: int = 30,
    seconds: float = 1.0,
    step: int = 0,
    seed: int = 0,
) -> list[Batch]:
    """A rollout's batches at one step."""
    rng = np.random.default_rng(seed)
    return [
        Batch(
            begin=NOON + timedelta(seconds=seconds * number),
            end=NOON + timedelta(seconds=seconds * (number + 1)),
            step=step,
            canary=serve(rng, new, per_second * seconds * share),
            baseline=serve(rng, old, per_second * seconds * (1 - share)) if old else None,
        )
        for number in range(batches)
    ]


def decided(batches: list[Batch], rule: VerifyRule = VerifyRule()) -> tuple[Judgement, int]:  # noqa: B008
    """Asks after every batch, as the engine does, until the judge passes or fails."""
    for seen in range(1, len(batches) + 1):
        judgement = JUDGE.judge(Case(batches[:seen], batches[0].step, rule))
        if judgement.verdict in (Verdict.PASS, Verdict.FAIL):
            return judgement, seen
    return judgement, len(batches)


def judge(batches: list[Batch], *, rule: VerifyRule = VerifyRule(), expects_baseline: bool = True) -> Judgement:  # noqa: B008
    return JUDGE.judge(Case(batches, batches[-1].step, rule, expects_baseline))


def plain(
    new: tuple[int, int] | None, old: tuple[int, int] | None, *, count: int = 1, step: int = 0, routed: int = 0
) -> list[Batch]:
    """Batches of (requests, errors) on either side, without latency."""
    return [
        Batch(
            NOON + timedelta(seconds=10 * number),
            NOON + timedelta(seconds=10 * number + 10),
            step,
            Counters(*new, routed=routed) if new else None,
            Counters(*old) if old else None,
        )
        for number in range(count)
    ]


def test_latencies_that_all_lie_in_one_bucket_pass_and_slower_ones_are_failed() -> None:
    def sides(milliseconds: float, old: float = 9.1) -> list[Batch]:
        return traffic(Version(0.0, milliseconds, 0.01), Version(0.0, old, 0.01), batches=60, seconds=2.0)

    assert decided(sides(9.2))[0].verdict is Verdict.PASS
    assert decided(sides(30.0))[0].verdict is Verdict.FAIL
    assert decided(sides(5000.0, 4900.0))[0].verdict is Verdict.PASS, "all of them above the last edge"
    alone = traffic(Version(0.0, 9.2, 0.01), None, batches=30, seconds=2.0, step=1)
    before = sides(9.1)[:10]
    assert judge([*before, *alone], expects_baseline=False).verdict is Verdict.PASS


def test_a_service_that_answers_within_a_millisecond_is_failed_when_it_takes_much_longer() -> None:
    quick = Version(milliseconds=0.8)
    judgement, batches = decided(traffic(Version(milliseconds=60.0), quick, batches=120, seconds=2.0))
    assert judgement.verdict is Verdict.FAIL
    assert str(judgement.blamed).startswith("latency")
    assert batches <= 20
    passed, _ = decided(traffic(Version(milliseconds=2.0), quick, batches=120, seconds=2.0))
    assert passed.verdict is Verdict.PASS, "5 ms are nothing that a user notices"


def test_it_is_a_judge() -> None:
    seam: Judge = ComparisonJudge()
    assert seam.judge(Case((), 0, VerifyRule())).verdict is Verdict.NO_DATA


class TestHarm:
    @pytest.mark.parametrize("share", [0.1, 0.25])
    @pytest.mark.parametrize("seed", range(4))
    def test_a_version_that_fails_a_fifth_of_its_requests_fails_within_seconds(self, share: float, seed: int) -> None:
        judgement, seconds = decided(traffic(Version(fails=0.2), share=share, seed=seed))
        assert judgement.verdict is Verdict.FAIL
        assert judgement.blamed == "errors"
        assert seconds <= 20

    @pytest.mark.parametrize("share", [0.1, 0.25])
    @pytest.mark.parametrize("seed", range(4))
    def test_a_version_that_is_150_ms_slower_fails_within_seconds(self, share: float, seed: int) -> None:
        judgement, seconds = decided(traffic(Version(milliseconds=160), share=share, seed=seed))
        assert judgement.verdict is Verdict.FAIL
        assert (judgement.blamed or "").startswith("latency p")
        assert seconds <= 8

    def test_harm_that_begins_after_a_long_quiet_time_is_seen_soon(self) -> None:
        quiet = traffic(HEALTHY, batches=200)
        late = traffic(Version(fails=0.1), batches=30, seed=1)
        assert judge(quiet, rule=ERRORS_ONLY).verdict is Verdict.PASS
        judgement = judge(quiet + late, rule=ERRORS_ONLY)
        assert judgement.verdict is Verdict.FAIL
        told = re.search(r" in the last (?:(\d)m )?(\d+)s ", judgement.reason)
        assert told
        assert 15 <= 60 * int(told[1] or 0) + int(told[2]) < 100

    def test_harm_of_an_earlier_step_is_not_forgotten_at_the_next(self) -> None:
        early = plain((100, 15), (400, 1), step=0, count=8)
        judgement = judge(early + plain((5, 0), (5, 0), step=1), rule=ERRORS_ONLY)
        assert judgement.verdict is Verdict.FAIL

    def test_the_reason_is_a_sentence_with_the_figures(self) -> None:
        judgement = judge(plain((103, 19), (410, 1), count=8), rule=ERRORS_ONLY)
        assert judgement.reason.startswith(
            "errors: 18.4% of 824 requests on the new deployment against 0.244% of 3,280 on the old (p = "
        )
        assert judgement.reason.endswith(", level 1% over the whole rollout)")
        (finding,) = judgement.metrics
        assert (finding.name, finding.unit, finding.verdict) == ("errors", "%", Verdict.FAIL)
        assert finding.canary == pytest.approx(100 * 19 / 103)
        assert finding.baseline == pytest.approx(100 / 410)
        assert finding.evidence < 0.004

    def test_the_reason_of_a_slow_version_names_milliseconds(self) -> None:
        judgement, _ = decided(traffic(Version(milliseconds=160)))
        assert re.match(
            r"latency p\d+: \d+ ms on the new deployment against \d+(\.\d+)? ms on the old", judgement.reason
        )

    def test_certain_but_harmless_differences_do_not_fail(self) -> None:
        judgement = judge(plain((125_000, 1_550), (125_000, 1_250), count=8), rule=ERRORS_ONLY)
        assert judgement.metrics[0].evidence < 0.01
        assert judgement.verdict is Verdict.PASS

    def test_a_difference_below_the_floor_does_not_fail(self) -> None:
        assert judge(plain((10_000_000, 1_500), (10_000_000, 10), count=3), rule=ERRORS_ONLY).verdict is Verdict.PASS

    def test_a_few_failures_of_very_few_requests_are_not_enough(self) -> None:
        assert judge(plain((1, 1), (300, 0), count=9), rule=ERRORS_ONLY).verdict is Verdict.UNDECIDED
        assert judge(plain((1, 1), (300, 0), count=12), rule=ERRORS_ONLY).verdict is Verdict.FAIL

    def test_one_batch_however_bad_is_not_enough_by_itself(self) -> None:
        burst = plain((500, 400), (500, 0))
        quiet = plain((500, 1), (500, 1), count=20)
        assert judge(burst, rule=ERRORS_ONLY).verdict is Verdict.UNDECIDED
        assert judge(quiet + burst + quiet, rule=ERRORS_ONLY).verdict is not Verdict.FAIL
        assert judge(quiet + burst * 8, rule=ERRORS_ONLY).verdict is Verdict.FAIL

    def test_milliseconds_that_nobody_notices_are_no_harm(self) -> None:
        """Three times as slow, and still within what a busy machine does to one process and not to another."""
        batches = traffic(Version(milliseconds=3.0), Version(milliseconds=1.0), share=0.5, batches=60)
        assert Verdict.FAIL not in {judge(batches[:seen]).verdict for seen in range(1, 61)}

    def test_the_level_is_the_one_that_was_asked_for(self) -> None:
        case = Case(plain((50, 9), (200, 2), count=5), 0, ERRORS_ONLY)
        assert ComparisonJudge(level=0.2).judge(case).verdict is Verdict.FAIL
        assert ComparisonJudge(level=0.0001).judge(case).verdict is Verdict.UNDECIDED


class TestNoHarm:
    @pytest.mark.parametrize(("share", "within"), [(0.2, 25), (0.5, 25)])
    @pytest.mark.parametrize("seed", range(4))
    def test_a_healthy_version_passes_a_step_in_seconds(self, share: float, within: int, seed: int) -> None:
        judgement, seconds = decided(traffic(Version(fails=0.0), Version(fails=0.0), share=share, seed=seed))
        assert judgement.verdict is Verdict.PASS
        assert seconds <= within

    @pytest.mark.parametrize("per_minute", [20, 600, 60_000])
    def test_healthy_versions_are_not_failed_however_often_one_looks(self, per_minute: int) -> None:
        failed = 0
        for seed in range(6):
            batches = traffic(HEALTHY, per_second=per_minute / 60, share=0.5, batches=40, seconds=15, seed=seed)
            verdicts = {judge(batches[:seen]).verdict for seen in range(1, 41)}
            failed += Verdict.FAIL in verdicts
        assert failed <= 1

    @pytest.mark.parametrize("seed", range(3))
    def test_an_incident_that_hits_both_sides_is_not_blamed_on_the_new_one(self, seed: int) -> None:
        sick = Version(fails=0.3, milliseconds=200)
        batches = traffic(HEALTHY, seed=seed) + traffic(sick, sick, seed=seed + 10) + traffic(HEALTHY, seed=seed + 20)
        verdicts = [judge(batches[:seen]).verdict for seen in range(1, len(batches) + 1)]
        assert Verdict.FAIL not in verdicts

    def test_shares_that_change_do_not_look_like_harm(self) -> None:
        """Over both steps together the new one fails 2.4%, the old one 1.2%: the split changed as the rates did."""
        batches = plain((50, 0), (950, 2), step=0) + plain((500, 13), (500, 13), step=1)
        assert judge(batches, rule=ERRORS_ONLY).verdict is not Verdict.FAIL

    def test_a_version_within_the_tolerance_is_not_failed_for_being_slower(self) -> None:
        batches = traffic(Version(milliseconds=10.8), share=0.5, batches=60, per_second=400)
        assert judge(batches).verdict is not Verdict.FAIL

    def test_a_step_passes_on_its_own_batches_only(self) -> None:
        batches = plain((1000, 0), (1000, 0), step=0, count=3) + plain((20, 0), (20, 0), step=1)
        assert judge(batches[:3], rule=ERRORS_ONLY).verdict is Verdict.PASS
        assert judge(batches, rule=ERRORS_ONLY).verdict is Verdict.UNDECIDED

    def test_what_may_be_harm_does_not_pass(self) -> None:
        judgement = judge(plain((250, 3), (250, 0), count=5), rule=ERRORS_ONLY)
        assert judgement.verdict is Verdict.UNDECIDED
        assert "this may be harm" in judgement.reason

    def test_little_traffic_is_told_how_long_it_would_take(self) -> None:
        batches = traffic(HEALTHY, HEALTHY, per_second=1 / 3, share=0.5, batches=20, seconds=15)
        judgement = judge(batches, rule=ERRORS_ONLY)
        assert judgement.verdict is Verdict.UNDECIDED
        assert "2% or more is not excluded yet, about " in judgement.reason
        assert "more at this traffic" in judgement.reason


class TestNoData:
    @pytest.mark.parametrize(
        ("batches", "words"),
        [
            ([], "nothing was measured"),
            (plain(None, (100, 0)), "on the new deployment"),
            (plain((0, 0), (100, 0)), "on the new deployment"),
            (plain((100, 0), None), "on the old deployment"),
            (plain((100, 100), None), "on the old deployment"),
            (plain((100, 0), (0, 0)), "on the old deployment"),
            (plain(None, None), "on the new deployment"),
        ],
    )
    def test_a_side_without_data_neither_passes_nor_fails(self, batches: list[Batch], words: str) -> None:
        judgement = ComparisonJudge().judge(Case(batches, 0, ERRORS_ONLY))
        assert judgement.verdict is Verdict.NO_DATA
        assert words in judgement.reason

    def test_a_version_that_never_answers_is_told_apart_from_one_without_requests(self) -> None:
        assert "40 were sent to it" in judge(plain((0, 0), (100, 0), routed=40), rule=ERRORS_ONLY).reason

    def test_data_of_an_earlier_step_is_no_data_of_this_one(self) -> None:
        batches = plain((1000, 0), (1000, 0), step=0)
        assert ComparisonJudge().judge(Case(batches, 1, ERRORS_ONLY)).verdict is Verdict.NO_DATA

    @pytest.mark.parametrize("last", [plain(None, (100, 0)), plain((100, 0), None)])
    def test_a_step_does_not_pass_when_its_latest_figures_are_missing(self, last: list[Batch]) -> None:
        judgement = judge(plain((1000, 0), (1000, 0), count=3) + last, rule=ERRORS_ONLY)
        assert judgement.verdict is Verdict.UNDECIDED
        assert "latest figures" in judgement.reason

    def test_missing_latency_is_no_pass_where_latency_is_asked_for(self) -> None:
        judgement = judge(plain((1000, 0), (1000, 0)))
        assert judgement.verdict is Verdict.NO_DATA
        assert "no latency of the new deployment" in judgement.reason

    def test_missing_latency_does_not_hide_errors(self) -> None:
        assert judge(plain((250, 75), (250, 0), count=8)).verdict is Verdict.FAIL

    def test_a_batch_that_lost_one_side_is_left_out_and_the_others_count(self) -> None:
        holes = plain((500, 0), (500, 0), count=2) + plain(None, (100, 100)) + plain((500, 0), (500, 0))
        assert judge(holes, rule=ERRORS_ONLY).verdict is Verdict.PASS


class TestWithoutABaseline:
    def test_a_first_release_is_held_against_the_objective(self) -> None:
        rule = replace(ERRORS_ONLY, availability=0.999)
        bad = judge(plain((125, 5), None, count=10), rule=rule, expects_baseline=False)
        assert bad.verdict is Verdict.FAIL
        assert "against 0.1% that the objective allows" in bad.reason
        assert judge(plain((500, 0), None, count=2), rule=rule, expects_baseline=False).verdict is Verdict.PASS

    def test_where_no_objective_is_given_one_percent_may_fail(self) -> None:
        assert judge(plain((2000, 20), None, count=2), rule=ERRORS_ONLY, expects_baseline=False).verdict is Verdict.PASS
        bad = judge(plain((500, 25), None, count=12), rule=ERRORS_ONLY, expects_baseline=False)
        assert bad.verdict is Verdict.FAIL
        assert "1% that are allowed where no objective is given" in bad.reason

    def test_the_latency_of_a_first_release_is_not_judged_and_that_is_said(self) -> None:
        judgement = judge(traffic(Version(milliseconds=300), None, share=1.0), expects_baseline=False)
        assert judgement.verdict is Verdict.PASS
        assert "latency is not judged" in judgement.reason

    def test_at_100_percent_latency_is_held_against_what_the_baseline_did_before(self) -> None:
        before = traffic(HEALTHY, share=0.5, batches=20)
        slow = traffic(Version(milliseconds=160), None, share=1.0, batches=5, step=1)
        fine = traffic(HEALTHY, None, share=1.0, batches=15, step=1)
        judgement = judge(before + slow, expects_baseline=False)
        assert judgement.verdict is Verdict.FAIL
        assert "on the old before" in judgement.reason
        assert judge(before + fine, expects_baseline=False).verdict is Verdict.PASS

    def test_the_old_ones_last_slow_requests_are_no_baseline(self) -> None:
        """After 100% only what takes long is still to end there; it would flatter any new deployment."""
        before = traffic(HEALTHY, share=0.5, batches=3)
        stragglers = Version(fails=1.0, milliseconds=900)
        after = traffic(Version(milliseconds=160), stragglers, share=0.2, batches=5, step=1)
        assert judge(before + after, expects_baseline=False).verdict is Verdict.FAIL

    def test_what_the_old_one_still_ends_at_100_percent_is_not_compared_with(self) -> None:
        before = plain((1000, 0), (1000, 0), step=0)
        after = plain((20_000, 150), (2000, 0), step=1)
        assert judge(before + after, rule=ERRORS_ONLY, expects_baseline=False).verdict is Verdict.PASS


def test_what_is_known_of_bursts_from_before_tempers_the_evidence() -> None:
    """The same eight batches: of a service whose errors always came five at a time, and of one that had none."""
    clumps = [HistoryBatch(NOON, 10.0, Counted(x=40.0 * (place % 9 == 4), n=500.0)) for place in range(200)]
    batches = plain((250, 5), (250, 0), count=8)
    with_history = Case(batches, 0, ERRORS_ONLY, history={"errors": clumps})
    known = ComparisonJudge().judge(with_history).metrics[0].evidence
    assert known > 5 * ComparisonJudge().judge(Case(batches, 0, ERRORS_ONLY)).metrics[0].evidence


def test_what_happened_to_both_sides_before_does_not_slow_a_rollout_down() -> None:
    """Two incidents that a service and its dependency had together are no bursts of one version."""
    ill = {21, 22, 71, 72}

    def of(requests: float, place: int) -> Counted:
        return Counted(requests / 5 if place in ill else requests / 1000, requests)

    both = [HistoryBatch(NOON, 10.0, of(480, place), of(120, place)) for place in range(120)]
    batches = plain((120, 0), (480, 0), count=10)
    known = judge_with(batches, both)
    assert known.verdict is Verdict.PASS
    assert judge_with(batches, [replace(one, beside=None) for one in both]).verdict is Verdict.UNDECIDED


def test_what_is_remembered_of_a_service_is_enough_history_for_errors_that_do_not_last() -> None:
    """As many batches as are remembered, of the length that batches have by default: an hour of them."""
    quiet = [HistoryBatch(NOON, 10.0, Counted(1, 480), Counted(0, 120)) for _ in range(MOST_TO_LEARN_FROM)]
    state = RolloutState.new(Standard(LatencyRule(quantiles=()), 0.01, (), NOON), 10.0)
    for batch in plain((30, 2), (480, 2), count=7):
        state = state.after(batch, is_alone=False)
    known = state.knowing({"errors": quiet}, 10.0)
    assert state.errors.log_lasting() < known.errors.log_lasting() == known.errors.harm.log_total()


def judge_with(batches: list[Batch], errors: list[HistoryBatch]) -> Judgement:
    return ComparisonJudge().judge(Case(batches, 0, ERRORS_ONLY, history={"errors": errors}))


def test_latency_of_before_is_known_from_the_first_batch_on() -> None:
    slow = traffic(Version(milliseconds=160), share=0.5, batches=3, seconds=10)
    side = traffic(HEALTHY, share=0.5, batches=40, seconds=10, seed=5)
    before = [HistoryBatch(one.begin, 10.0, Spread(EDGES, one.canary.latency)) for one in side if one.canary]
    case = Case(slow[:2], 0, VerifyRule(), history={"latency": before})
    assert ComparisonJudge().judge(case).metrics[2].evidence < 0.5
    assert ComparisonJudge().judge(replace(case, history={})).metrics[2].evidence > 0.5


def test_counters_read_at_slightly_different_moments_make_no_rate_above_100_percent() -> None:
    judgement = judge(plain((50, 52), (50, 0)), rule=ERRORS_ONLY)
    assert judgement.metrics[0].canary == 100


@pytest.mark.parametrize(
    "make",
    [
        lambda: judge(traffic(HEALTHY)),
        lambda: judge(traffic(Version(fails=0.3))),
        lambda: judge(plain((30, 0), (30, 0))),
    ],
)
def test_the_same_case_gives_the_same_judgement(make: Callable[[], Judgement]) -> None:
    assert make() == make()


def test_a_single_bucket_edge_is_enough_to_see_what_crosses_it() -> None:
    old, new = Counters(1000, 0, (100.0,), (900, 100)), Counters(1000, 0, (100.0,), (500, 500))
    assert judge([Batch(NOON, NOON + timedelta(seconds=10), 0, old, old)] * 4).verdict is Verdict.PASS
    batches = [Batch(NOON, NOON + timedelta(seconds=10), 0, new, old)] * 8
    assert judge(batches).metrics[1].evidence < 0.01


def test_a_long_rollout_is_judged_in_milliseconds() -> None:
    batches = traffic(HEALTHY, batches=300)
    looks = ComparisonJudge()
    looks.judge(Case(batches[:-5], 0, VerifyRule()))
    times = []
    for seen in range(len(batches) - 5, len(batches)):
        began = time.perf_counter()
        looks.judge(Case(batches[:seen], 0, VerifyRule()))
        times.append(time.perf_counter() - began)
    # 5 ms on the machine where it was written; wide enough for a busy one
    assert min(times) < 0.05


def test_naming_the_judge_loads_no_numerical_library() -> None:
    code = "import sys, tidegate.judge.comparison; print([m for m in ('numpy', 'scipy') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# a service that has no users


@pytest.mark.parametrize(("per_second", "is_said"), [(60.0, True), (20.0, False)])
def test_a_service_that_nobody_but_tidegate_asks_passes_by_that_alone_and_says_so(
    per_second: float, is_said: bool
) -> None:
    batches = [
        replace(one, canary=Counters(60, 0, EDGES, one.canary.latency, 60))
        for one in traffic(HEALTHY, None, share=1.0)
        if one.canary
    ]
    rule = replace(ERRORS_ONLY, traffic=SyntheticTraffic("/", per_second))
    judgement = judge(batches, rule=rule, expects_baseline=False)
    assert judgement.verdict is Verdict.PASS
    assert judgement.only_synthetic is is_said
    assert ("by synthetic requests and health alone" in judgement.reason) is is_said
    assert not judge(batches, rule=ERRORS_ONLY, expects_baseline=False).only_synthetic
