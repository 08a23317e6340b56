"""What a judgement must say of metrics: a source that gives nothing is never a pass, and never a fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from tidegate.model.metric import Counted, Figures, Measured, MetricSeries, Spread
from tidegate.model.quantity import format_duration
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

_SHOWN_QUANTILE = 0.95


def with_metrics(
    judgement: Judgement, series: Sequence[MetricSeries], step: int, *, expects_baseline: bool
) -> Judgement:
    """The judgement with what the metrics show at the step, as far as it does not speak of them already.

    It is no pass while a metric has no figures of this step, or its latest lack a side; a fail stays one.
    """
    known = {one.name for one in judgement.metrics}
    findings = tuple(_finding(one, step) for one in series if one.rule.name not in known)
    judgement = replace(judgement, metrics=(*judgement.metrics, *findings))
    lacking = [words for one in series if (words := _lacking(one, step, expects_baseline=expects_baseline))]
    waiting = [words for one in series if (words := _waiting(one, step))]
    if judgement.verdict is Verdict.FAIL or not (lacking or waiting):
        return judgement
    words = ". ".join((judgement.reason, *lacking, *waiting))
    if judgement.verdict is not Verdict.PASS:
        return replace(judgement, reason=words)
    return replace(judgement, verdict=Verdict.NO_DATA if lacking else Verdict.UNDECIDED, reason=words)


def _lacking(series: MetricSeries, step: int, *, expects_baseline: bool) -> str | None:
    """What the latest figures lack, in words; None where they lack nothing."""
    here = series.at_step(step)
    if here:
        latest = here[-1]
        if latest.canary is None or (expects_baseline and latest.baseline is None):
            return f"{series.rule.name}: {latest.trouble}"
        return None
    before = series.before
    doubted = before is not None and before.trouble and not series.readings and expects_baseline
    return f"{series.rule.name}: {before.trouble}" if before and doubted else None


def _waiting(series: MetricSeries, step: int) -> str | None:
    if series.at_step(step):
        return None
    after = series.rule.window + series.rule.delay
    return f"{series.rule.name}: the first figures come after {format_duration(after)} at this share"


def _finding(series: MetricSeries, step: int) -> MetricFinding:
    here = series.at_step(step)
    canary, unit = _shown([one.canary for one in here])
    baseline, of_old = _shown([one.baseline for one in here])
    has_figures = bool(here) and here[-1].canary is not None
    verdict = Verdict.UNDECIDED if has_figures else Verdict.NO_DATA
    return MetricFinding(series.rule.name, canary, baseline, 1.0, unit or of_old, verdict)


def _shown(sides: Sequence[Figures | None]) -> tuple[float | None, str]:
    """One number for what a side showed at the step, and its unit."""
    known = [one for one in sides if one is not None]
    counted = [one for one in known if isinstance(one, Counted)]
    of = sum(one.n or 0.0 for one in counted)
    if of:
        return 100 * sum(one.x for one in counted) / of, "%"
    if values := [value for one in known if isinstance(one, Measured) for value in one.values]:
        return sum(values) / len(values), ""
    if spreads := [one for one in known if isinstance(one, Spread)]:
        return _quantile(spreads[-1]), "p95"
    return None, ""


def _quantile(spread: Spread) -> float | None:
    """The upper edge of the bucket in which the quantile lies; None where that is the overflow, or nothing was."""
    wanted = _SHOWN_QUANTILE * sum(spread.counts)
    return next(
        (edge for edge, below in zip(spread.edges, accumulate(spread.counts), strict=False) if below >= wanted > 0),
        None,
    )
