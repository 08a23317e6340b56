"""A service's own metrics where nothing runs beside the new deployment: held against what the old one showed before.

As latency is (see `rollout_state`): from the old deployment's figures of this rollout a bound is read that its real
share does not exceed, but for one case in 2,000, and the new one's requests are compared with that bound and the
metric's own tolerance. Few figures make a wide bound, bursts a wider one. It holds if nothing but the version changed.

Of values per interval the level is left out: what a process uses depends on the share of the traffic that it gets.
Their growth is judged, against the deployment's own values when it had warmed up, as far as its requests grew less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, log, nan

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.bounds import OFTEN, upper_bound
from tidegate.judge.histograms import histogram_figures
from tidegate.judge.intervals import WARM_UP_SECONDS
from tidegate.judge.latency import LEAST_KNOWN, QUANTILES, Histograms, above_edges, quantiles_of
from tidegate.judge.leak import RECENT, leak
from tidegate.judge.limits import BEFORE_RATIO, BOUND_LEVEL, MOST, alone, rules_at
from tidegate.judge.proportions import DOWN_HARMS, ERROR_HARMS, Rows
from tidegate.judge.rates import passes_gate, rate_counts, rate_figures, rate_rules
from tidegate.judge.shown import Shown
from tidegate.judge.tracks import LEAST_TO_FAIL, Pace
from tidegate.judge.two_proportions import Counts
from tidegate.model.figures import Batch
from tidegate.model.metric import Figures, Measured, MetricReading, MetricSeries
from tidegate.model.metric_recording import recorded_after
from tidegate.model.recording import MetricKind, RecordedBatch, RecordedMetric, Worse
from tidegate.model.usage import is_new_feature

OWN_BEFORE_WEIGHT = 0.1
"""Of all of them together, beside the router's metrics and their own parts beside a baseline."""

LEAST_GROWTH = 1.25
"""Of values without a baseline; what grows less is what a day does to a process."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the metrics show against the time before, and in words which are not judged."""

    shown: tuple[Shown, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """A metric against the time before: evidence of harm and suspicion (logarithms), if it matters, and figures."""

    log_evidence: float
    serious: bool
    canary: float
    other: float
    requests: float
    other_requests: float
    log_suspicion: float = -inf


def own_before(series: Sequence[MetricSeries], batches: Sequence[Batch], step: int) -> Before:
    """All metrics at a step at which the new deployment runs alone, as far as they have figures there; `batches` are
    the router's."""
    whole = sum(one.rule.weight or 1.0 for one in series)
    shown, not_judged = [], []
    for one in series:
        if is_new_feature(one) or not any(reading.canary for reading in one.at_step(step)):
            continue
        match _growth(one, batches, step) if one.rule.kind is MetricKind.VALUES else _held(one, step):
            case _Held() as held:
                shown.append(_shown(one, held, OWN_BEFORE_WEIGHT * (one.rule.weight or 1.0) / whole))
            case str(reason):
                not_judged.append(f"{one.rule.name} is not judged after 100%: {reason}")
    return Before(tuple(shown), tuple(not_judged))


def _shown(series: MetricSeries, held: _Held, weight: float) -> Shown:
    is_rate = series.rule.kind is MetricKind.RATE
    grows = series.rule.kind is MetricKind.VALUES
    scale = 100.0 if is_rate else 1.0
    return Shown(
        name=f"{series.rule.name} ({'growth' if grows else 'before'})",
        weight=weight,
        log_evidence=held.log_evidence,
        log_suspicion=held.log_suspicion,
        serious=held.serious and held.requests >= LEAST_TO_FAIL,
        safe=True,
        is_asked_now=True,
        canary=scale * held.canary,
        other=scale * held.other,
        unit="%" if is_rate else "",
        requests=held.requests,
        beside="when it had warmed up" if grows else "on the old before",
        other_requests=held.other_requests if is_rate else None,
        is_proven=not held.serious,
    )


def _held(series: MetricSeries, step: int) -> _Held | str:
    """The metric against the time before; in words why not, where it cannot be."""
    metric = recorded_after(series, step)
    # what must be excluded for certain must be seen, too
    metric = replace(metric, gate=max(metric.gate, metric.tolerance.ratio))
    pace = Pace.of(max(1.0, series.rule.window.total_seconds()))
    if metric.kind is MetricKind.HISTOGRAM and not metric.edges:
        return "its figures of before and of now have no bucket in common"
    return _rate(metric, pace) if metric.kind is MetricKind.RATE else _histogram(metric, pace)


def _rate(metric: RecordedMetric, pace: Pace) -> _Held | str:
    down = metric.worse is Worse.DOWN
    rows = Rows.new(1, DOWN_HARMS if down else ERROR_HARMS, pace.horizon, pace.lengths)
    for counts in _counts(metric.history, down=down):
        rows = rows.learns(counts)
    before, after = _old(metric.batches), _new(metric.batches)
    for counts in _counts(before, down=down):
        rows = rows.learns(counts)
    _, _, of, hits = rate_figures(before, len(before)).sum(axis=1)
    if of < LEAST_KNOWN:
        return _too_few(of)
    bad = of - hits if down else hits
    bound = _bound(np.array([bad / of]), of, rows)
    tolerated = np.clip(rate_rules([metric], down=down).tolerated.at(bound), 0.0, MOST)
    rules = rules_at(tolerated, (1 + tolerated) / 2)
    rows = rows.forgets(np.ones(1, dtype=np.bool_))
    for counts in _counts(after, down=down):
        rows = rows.after(alone(counts.canary_of, counts.canary_hits), rules, tolerated)
    requests, found = (float(one) for one in rows.likely()[:2, 0])
    canary = found / max(requests, 1.0)
    canary = 1 - canary if down else canary
    serious = passes_gate(metric, np.array(canary), np.array(hits / of))
    lasting, suspicion = float(rows.log_lasting()[0]), float(rows.harm.log_total()[0])
    return _Held(lasting, bool(serious), canary, float(hits / of), requests, float(of), suspicion)


def _histogram(metric: RecordedMetric, pace: Pace) -> _Held | str:
    edges = np.array(metric.edges)
    state = Histograms.new(1, edges, np.array(QUANTILES), pace.horizon, pace.lengths)
    for canary, baseline in histogram_figures([metric.history], len(edges)):
        state = state.learns(canary, baseline)
    # history tells how figures vary; what they are is told by this rollout
    state = replace(state.forgets_canary(), baseline=np.zeros_like(state.baseline))
    for canary, baseline in histogram_figures([_old(metric.batches)], len(edges)):
        state = state.learns(canary, baseline)
    state = state.chosen()
    of = float(state.baseline.sum())
    if of < LEAST_KNOWN:
        return _too_few(of)
    limits = _bound(state.above_faster(np.array([metric.tolerance.ratio]))[0], of, state.rows)
    rows = state.rows.forgets(np.ones(len(limits), dtype=np.bool_))
    rules, share = rules_at(limits, (1 + limits) / 2), np.minimum(state.above()[0], limits)
    seen = np.zeros(len(edges) + 1)
    for canary, _ in histogram_figures([_new(metric.batches)], len(edges)):
        seen += canary[0]
        above = above_edges(canary[0], state.compared[0])
        total = np.full(len(above), canary.sum())
        rows = rows.after(alone(total, above), rules, share)
    return _loudest(metric, state, rows, limits, seen)


def _growth(series: MetricSeries, batches: Sequence[Batch], step: int) -> _Held | str:
    """Whether the values grow; in words why that is not known yet."""
    seconds = max(1.0, series.rule.window.total_seconds())
    first = ceil(WARM_UP_SECONDS / seconds)
    readings = series.at_step(step)
    medians = np.array([_median(one.canary) for one in readings])
    if np.isfinite(medians[first:]).sum() < 2 * RECENT:
        return f"values without a baseline are judged by their growth, from {first + 2 * RECENT} windows on"
    down = series.rule.worse is Worse.DOWN
    path, grown = leak(-np.log(medians) if down else np.log(medians), Pace.of(seconds), first)
    known = [one for one, median in zip(readings[first:], medians[first:], strict=True) if np.isfinite(median)]
    busier = _requests(batches, known[-RECENT:]) / max(_requests(batches, known[:RECENT]), 1e-9)
    once, now = (float(np.nanmedian(part)) for part in (medians[first:][:RECENT], medians[-RECENT:]))
    return _Held(
        log_evidence=float(path[-1]),
        serious=grown[-1] - log(max(busier, 1.0)) >= log(max(series.rule.seen_ratio, LEAST_GROWTH)),
        canary=now,
        other=once,
        requests=float(sum(len(one.canary.values) for one in known if isinstance(one.canary, Measured))),
        other_requests=0.0,
    )


def _median(figures: Figures | None) -> float:
    """Of the positive values; NaN where there are none."""
    values = [one for one in figures.values if one > 0] if isinstance(figures, Measured) else []
    return float(np.median(values)) if values else nan


def _requests(batches: Sequence[Batch], readings: Sequence[MetricReading]) -> float:
    """Requests a second to the new deployment while these were read."""
    begin, end = readings[0].begin, readings[-1].end
    of = sum(one.canary.requests for one in batches if one.canary and begin <= one.begin < end)
    return of / max((end - begin).total_seconds(), 1.0)


def _loudest(metric: RecordedMetric, state: Histograms, rows: Rows, limits: Floats, seen: Floats) -> _Held:
    """The evidence of all quantiles, with the figures of the one that speaks loudest."""
    evidence = rows.harm.log_total()
    place = int(evidence.argmax())
    canary, other = (
        float(quantiles_of(state.edges, side, state.quantiles)[0, place]) for side in (seen[None], state.baseline)
    )
    requests, above = (float(one) for one in rows.likely()[:2, place])
    return _Held(
        log_evidence=float(np.logaddexp.reduce(evidence) - np.log(len(evidence))),
        serious=canary >= other * metric.gate and above >= BEFORE_RATIO * limits[place] * requests,
        canary=canary,
        other=other,
        requests=requests,
        other_requests=float(state.baseline.sum()),
    )


def _bound(share: Floats, of: float, rows: Rows) -> Floats:
    """What the real shares do not exceed; where counts vary more than by chance, fewer of them are news."""
    news = of / rows.dispersion.factor()
    pairs = zip(share.tolist(), news.tolist(), strict=True)
    bounds = [upper_bound(one * n, n, BOUND_LEVEL, OFTEN) for one, n in pairs]
    result: Floats = np.clip(np.array(bounds), 0.0, MOST)
    return result


def _counts(batches: Sequence[RecordedBatch], *, down: bool) -> Iterator[Counts]:
    for figures in rate_figures(batches, len(batches)).T:
        yield rate_counts(figures[:, None], down=down)


def _old(batches: Sequence[RecordedBatch]) -> list[RecordedBatch]:
    return [one for one in batches if one.baseline]


def _new(batches: Sequence[RecordedBatch]) -> list[RecordedBatch]:
    return [one for one in batches if one.canary]


def _too_few(requests: float) -> str:
    if not requests:
        return "the old deployment has no figures from before"
    return f"{requests:,.0f} requests to the old deployment from before are too few, {LEAST_KNOWN:g} are needed"
