"""What a judgement says of metrics: a source without figures lets nothing pass, and fails nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.model.ids import RolloutId
from tidegate.model.metric import (
    BEFORE_FIRST_STEP,
    Counted,
    Figures,
    Measured,
    MetricReading,
    MetricRule,
    MetricSeries,
    SourceName,
    Spread,
    series_of,
)
from tidegate.model.metric_judgement import with_metrics
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDERS = MetricRule("orders", SourceName.PROMETHEUS, query="$deployment")
SOME = Counted(2, 100)
STEP = 1


def reading(
    canary: Figures | None = SOME, baseline: Figures | None = SOME, trouble: str = "", step: int = STEP, at: int = 0
) -> MetricReading:
    begin = BEGIN + timedelta(minutes=at)
    return MetricReading(RolloutId("r"), "orders", begin, begin + timedelta(minutes=1), step, canary, baseline, trouble)


def judged(verdict: Verdict, *readings: MetricReading, beside: bool = True) -> Judgement:
    series = series_of([ORDERS], readings)
    return with_metrics(Judgement(verdict, "errors: fine"), series, STEP, expects_baseline=beside)


WISHES = MetricRule("orders", SourceName.PROMETHEUS, query="$deployment", usage=True, tolerance=0.2)
"""Usage of a feature, of the same name."""


def told(verdict: Verdict, *readings: MetricReading, beside: bool = True) -> Judgement:
    """What is said of usage, where the judge found it as it should be."""
    said = MetricFinding("orders", 4.0, 0.0, 0.3, "%", Verdict.PASS)
    series = series_of([WISHES], readings)
    return with_metrics(Judgement(verdict, "errors: fine", metrics=(said,)), series, STEP, expects_baseline=beside)


AWAY = reading(None, None, "no data of both deployments: Prometheus does not answer")
DOUBTED = reading(None, None, "no data of the old deployment before the rollout: no such series", BEFORE_FIRST_STEP)


@pytest.mark.parametrize("verdict", Verdict)
def test_with_figures_of_both_sides_the_verdict_is_the_judges(verdict: Verdict) -> None:
    found = judged(verdict, reading())
    assert found.verdict is verdict
    assert found.reason.startswith("errors: fine")


def test_figures_that_are_not_judged_are_shown_as_such() -> None:
    found = judged(Verdict.PASS, reading(Counted(1, 300)))
    shown = "orders: 0.333% on the new deployment against 2% on the old (shown, not judged)"
    assert found.reason == f"errors: fine. {shown}"


@pytest.mark.parametrize(
    "readings",
    [
        (AWAY,),
        (reading(None, SOME, "no data of the new deployment: no such series"),),
        (reading(SOME, None, "no data of the old deployment: no such series"),),
        (reading(at=0), reading(None, None, "no data of both deployments: Prometheus does not answer", at=1)),
        (DOUBTED,),
    ],
    ids=["failing", "no canary", "no baseline", "failing by now", "doubted before"],
)
def test_a_source_without_figures_never_passes_and_never_fails(readings: tuple[MetricReading, ...]) -> None:
    passed = judged(Verdict.PASS, *readings)
    assert passed.verdict is Verdict.NO_DATA
    assert passed.reason.startswith(f"orders: {readings[-1].trouble}")
    assert judged(Verdict.UNDECIDED, *readings).verdict is Verdict.UNDECIDED
    failed = judged(Verdict.FAIL, *readings)
    assert (failed.verdict, failed.reason) == (Verdict.FAIL, "errors: fine")


def test_what_failed_once_and_answers_again_is_forgiven() -> None:
    assert judged(Verdict.PASS, AWAY, reading(at=1)).verdict is Verdict.PASS
    assert judged(Verdict.PASS, DOUBTED, reading(at=1)).verdict is Verdict.PASS


@pytest.mark.parametrize("beside", [True, False])
def test_a_metric_of_something_else_stays_one_whatever_it_shows(beside: bool) -> None:
    other = reading(None, SOME, "it does not look at the deployment", BEFORE_FIRST_STEP)
    found = judged(Verdict.PASS, other, reading(at=1), beside=beside)
    assert (found.verdict, found.reason) == (
        Verdict.NO_DATA,
        "orders: it does not look at the deployment. errors: fine",
    )


def test_a_step_waits_for_its_first_figures() -> None:
    found = judged(Verdict.PASS, reading(step=STEP - 1))
    assert found.verdict is Verdict.UNDECIDED
    assert found.reason == "orders: the first figures come within 2m at this share. errors: fine"


def test_nothing_runs_beside_it_at_the_end_and_nothing_is_missed_there() -> None:
    assert judged(Verdict.PASS, reading(SOME, None), beside=False).verdict is Verdict.PASS
    assert judged(Verdict.PASS, reading(None, None, "no data"), beside=False).verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("canary", "shown"),
    [
        (SOME, (2.0, "%")),
        (Measured((1.0, 2.0)), (1.5, "")),
        (Spread((10, 20), (90, 6, 4)), (20, "")),
        (Spread((10, 20), (0, 0, 4)), (None, "")),
    ],
)
def test_a_finding_shows_both_sides(canary: Figures, shown: tuple[float | None, str]) -> None:
    (finding,) = judged(Verdict.PASS, reading(canary, canary)).metrics
    assert (finding.canary, finding.unit) == shown
    assert (finding.name, finding.baseline, finding.verdict) == ("orders", finding.canary, Verdict.UNDECIDED)


def test_a_finding_without_figures_says_so() -> None:
    (finding,) = judged(Verdict.UNDECIDED, AWAY).metrics
    assert (finding.canary, finding.baseline, finding.verdict) == (None, None, Verdict.NO_DATA)


def test_what_the_judge_says_of_a_metric_stands() -> None:
    said = MetricFinding("orders", 1.0, 2.0, 0.3, "%", Verdict.PASS)
    series = (MetricSeries(ORDERS, (reading(),)),)
    found = with_metrics(Judgement(Verdict.PASS, "fine", metrics=(said,)), series, STEP, expects_baseline=True)
    assert found.metrics == (said,)


NO_SUCH = "no data of the old deployment: there is no such series"
NEW_FEATURE = (
    "errors: fine. orders: used by 4.25% of 1,200 requests on the new deployment (between 3.25% and 5.54% at 95%; "
    "new, so there is nothing to compare it with)"
)


@pytest.mark.parametrize(
    "old", [(None, NO_SUCH, DOUBTED), (Counted(0, 900), "", reading(None, Counted(0), "", BEFORE_FIRST_STEP))]
)
def test_what_is_new_is_told_with_its_interval_and_waits_for_nothing_of_the_old(
    old: tuple[Figures | None, str, MetricReading],
) -> None:
    baseline, trouble, before = old
    found = told(Verdict.PASS, before, reading(Counted(51, 1200), baseline, trouble))
    assert (found.verdict, found.reason) == (Verdict.PASS, NEW_FEATURE)
    (finding,) = found.metrics
    assert (finding.name, finding.baseline, finding.verdict) == ("orders (usage)", None, Verdict.UNDECIDED)
    assert (finding.canary, finding.low, finding.high) == pytest.approx((4.25, 3.247, 5.545), abs=1e-3)


def test_what_the_old_one_has_too_is_judged_and_told_beside_that() -> None:
    found = told(Verdict.PASS, reading(Counted(51, 1200), Counted(50, 1000)))
    assert [one.name for one in found.metrics] == ["orders", "orders (usage)"]
    assert "; 5% on the old)" in found.reason
    lacking = told(Verdict.PASS, reading(), reading(SOME, None, NO_SUCH, at=1))
    assert (lacking.verdict, NO_SUCH in lacking.reason) == (Verdict.NO_DATA, True)


def test_what_is_new_and_has_no_figures_itself_is_waited_for() -> None:
    assert told(Verdict.PASS, DOUBTED).verdict is Verdict.UNDECIDED
    assert told(Verdict.PASS, DOUBTED, AWAY).verdict is Verdict.NO_DATA
    of_something_else = reading(None, SOME, "it does not look at the deployment", BEFORE_FIRST_STEP)
    assert told(Verdict.PASS, of_something_else).verdict is Verdict.NO_DATA
