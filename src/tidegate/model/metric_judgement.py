"""What a judgement must say of metrics: a source that gives nothing is never a pass, and never a fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from tidegate.model.metric import Counted, Figures, Measured, MetricSeries, Spread
from tidegate.model.quantity import format_duration
from tidegate.model.recording import MetricKind
from tidegate.model.usage import SURE, Usage, is_new_feature, usage_of
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

_SHOWN_QUANTILE = 0.95


def with_metrics(
    judgement: Judgement, series: Sequence[MetricSeries], step: int, *, expects_baseline: bool
) -> Judgement:
    """The judgement with what the metrics show at the step, as far as it does not speak of them already.

    It is no pass while a metric has no figures of this step, or its latest lack a side; a fail stays one.
    """
    judgement = _without_new_features(judgement, series)
    usages = [usage for one in series if (usage := usage_of(one))]
    counted = {one.metric for one in usages}
    rest = [one for one in series if one.rule.name not in counted and not _is_told(one, judgement)]
    findings = tuple(_finding(one, step) for one in rest)
    judgement = replace(judgement, metrics=(*judgement.metrics, *findings, *map(_usage_finding, usages)))
    if judgement.verdict is Verdict.FAIL:
        return judgement
    lacking = [words for one in series if (words := _lacking(one, step, expects_baseline=expects_baseline))]
    waiting = [words for one in series if (words := _waiting(one, step))]
    shown = [words for one in findings if (words := _shown_only(one))]
    verdict, said = judgement.verdict, [judgement.reason, *lacking, *waiting]
    if verdict is Verdict.PASS and (lacking or waiting):
        # what keeps it from passing is said first
        verdict, said = Verdict.NO_DATA if lacking else Verdict.UNDECIDED, [*lacking, *waiting, judgement.reason]
    reason = ". ".join((*said, *shown, *map(usage_sentence, usages)))
    return replace(judgement, verdict=verdict, reason=reason)


def usage_sentence(usage: Usage) -> str:
    """Which share of requests used it, and what that was before."""
    between = f"between {100 * usage.low:.3g}% and {100 * usage.high:.3g}% at {100 * SURE:g}%"
    if usage.before is None:
        old = "new, so there is nothing to compare it with"
    elif usage.before:
        old = f"{100 * usage.before:.3g}% on the old"
    else:
        old = "used on the old, too"
    name = f"{usage.metric}: used by {100 * usage.share:.3g}% of {usage.requests:,.0f} requests"
    return f"{name} on the new deployment ({between}; {old})"


def _usage_finding(usage: Usage) -> MetricFinding:
    """It decides nothing: what is judged of it has a finding of its own."""
    return MetricFinding(
        name=f"{usage.metric} (usage)",
        canary=100 * usage.share,
        baseline=100 * usage.before if usage.before else None,
        evidence=1.0,
        unit="%",
        verdict=Verdict.UNDECIDED,
        low=100 * usage.low,
        high=100 * usage.high,
    )


def _without_new_features(judgement: Judgement, series: Sequence[MetricSeries]) -> Judgement:
    """A feature that the old deployment does not have is no better for that, and is told of instead."""
    new = {one.rule.name for one in series if is_new_feature(one)}
    return replace(judgement, metrics=tuple(one for one in judgement.metrics if one.name not in new))


def _is_told(series: MetricSeries, judgement: Judgement) -> bool:
    """Whether the judge speaks of the metric itself: by its name, or by its name and a quantile."""
    name = series.rule.name
    return any(one.name == name or one.name.startswith(f"{name} ") for one in judgement.metrics)


def _shown_only(finding: MetricFinding) -> str | None:
    """The figures of a metric that is not judged, in words; None where there are none."""
    if finding.canary is None:
        return None
    beside = "" if finding.baseline is None else f" against {finding.baseline:.3g}{finding.unit} on the old"
    return f"{finding.name}: {finding.canary:.3g}{finding.unit} on the new deployment{beside} (shown, not judged)"


def _lacking(series: MetricSeries, step: int, *, expects_baseline: bool) -> str | None:
    """What the latest figures lack, in words; None where they lack nothing."""
    here = series.at_step(step)
    if here:
        latest = here[-1]
        expects_baseline = expects_baseline and not is_new_feature(series)
        if latest.canary is None or (expects_baseline and latest.baseline is None):
            return f"{series.rule.name}: {latest.trouble}"
        return None
    before = series.before
    if is_new_feature(series) and before and not before.is_of_something_else:
        return None
    if before is None or series.readings or not (expects_baseline or before.is_of_something_else):
        return None
    return f"{series.rule.name}: {before.trouble}" if before.trouble else None


def _waiting(series: MetricSeries, step: int) -> str | None:
    if series.at_step(step) or (series.before and series.before.is_of_something_else):
        return None
    after = series.rule.settles_for + series.rule.window + series.rule.delay
    return f"{series.rule.name}: the first figures come within {format_duration(after)} at this share"


def _finding(series: MetricSeries, step: int) -> MetricFinding:
    here = series.at_step(step)
    canary, unit = _shown([one.canary for one in here])
    baseline, of_old = _shown([one.baseline for one in here])
    has_figures = bool(here) and here[-1].canary is not None
    verdict = Verdict.UNDECIDED if has_figures else Verdict.NO_DATA
    name = series.rule.name
    if series.rule.kind is MetricKind.HISTOGRAM:
        name = f"{name} p{100 * _SHOWN_QUANTILE:g}"
    return MetricFinding(name, canary, baseline, 1.0, unit or of_old, verdict)


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
        return _quantile(spreads[-1]), ""
    return None, ""


def _quantile(spread: Spread) -> float | None:
    """The upper edge of the bucket in which the quantile lies; None where that is the overflow, or nothing was."""
    wanted = _SHOWN_QUANTILE * sum(spread.counts)
    return next(
        (edge for edge, below in zip(spread.edges, accumulate(spread.counts), strict=False) if below >= wanted > 0),
        None,
    )
