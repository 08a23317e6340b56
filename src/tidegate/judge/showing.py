"""What each metric of a live rollout shows after its last batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite, log

import numpy as np

from tidegate.judge.arrays import Floats
from tidegate.judge.histograms import track_histograms
from tidegate.judge.latency import quantiles_of
from tidegate.judge.limits import BEFORE_RATIO, STEP_MARGIN, STEP_MARGIN_FLOOR, slow_excluded
from tidegate.judge.proportions import Rows
from tidegate.judge.rates import track_rates
from tidegate.judge.rollout_state import ERRORS_FLOOR, LEAST_SLOWNESS, RolloutState
from tidegate.judge.shown import Shown
from tidegate.judge.tracks import LEAST_TO_FAIL, SAFE_LEVEL, Pace, Track
from tidegate.judge.values import track_values
from tidegate.judge.wording import percent
from tidegate.model.metric import MetricRule, MetricSeries
from tidegate.model.metric_recording import recorded_metric
from tidegate.model.recording import MetricKind, Worse
from tidegate.model.rollout_recording import OWN_WEIGHT

ERRORS_GATE = 1.25
ERRORS_WEIGHT, LATENCY_WEIGHT, OBJECTIVE_WEIGHT, BEFORE_WEIGHT = 0.42, 0.37, 0.06, 0.1
USUAL_ERRORS_WEIGHT = 0.05
"""How the evidence is weighted; they add up to 1, and latency's parts are divided again by quantiles."""

LOOKS_WORSE = 2.0
"""Standard errors; so many harmless metrics look worse once in 40 looks, and cost a step a little time."""


def shown_of(state: RolloutState, seconds: float, *, alone: bool, has_objective: bool) -> list[Shown]:
    """Errors and latency; `seconds` is how long a batch is."""
    found = [_errors(state, seconds, asked=not alone), *_latency(state, seconds, asked=not alone)]
    if alone:
        words = "that the objective allows" if has_objective else "that are allowed where no objective is given"
        found.append(_objective(state, seconds, words))
        found += _usual_errors(state, seconds)
        found += _usual_latency(state, seconds) if _is_first_alone(state) else _before(state, seconds)
    return found


def own_metrics(series: Sequence[MetricSeries], step: int, *, alone: bool) -> Iterator[Shown]:
    """A service's own metrics that have figures of both sides. They fail a rollout; it does not wait for their proof,
    only for their figures, and while these look worse. `alone` says that nothing runs beside the new deployment."""
    weights = [one.rule.weight or 1.0 for one in series]
    for one, weight in zip(series, weights, strict=True):
        track = _track(one)
        if track is None:
            continue
        asked = bool(one.at_step(step)) and not alone
        scale = 100.0 if one.rule.kind is MetricKind.RATE else 1.0
        canary, other = float(track.canary[-1]) * scale, float(track.baseline[-1]) * scale
        yield Shown(
            name=one.rule.name,
            weight=OWN_WEIGHT * weight / sum(weights),
            log_evidence=float(track.log_evidence[-1]),
            log_suspicion=float(track.log_suspicion[-1]),
            serious=bool(track.serious[-1]),
            safe=True,
            is_asked_now=asked,
            canary=None if np.isnan(canary) else canary,
            other=None if np.isnan(other) else other,
            unit="%" if one.rule.kind is MetricKind.RATE else "",
            requests=float(track.requests[-1]),
            beside="on the old",
            is_proven=bool(track.safe[-1]),
            looks_worse=asked and _looks_worse(track, one.rule),
        )


def _looks_worse(track: Track, rule: MetricRule) -> bool:
    """Whether a rate is worse than is tolerated by two standard errors: too little to fail, and too much to go on."""
    if not track.serious[-1] or np.isnan(track.spread[-1]):
        return False
    effect = np.log(track.ratio[-1]) * (-1 if rule.worse is Worse.DOWN else 1)
    return bool(effect - np.log(rule.tolerated_ratio) > LOOKS_WORSE * track.spread[-1])


def _track(series: MetricSeries) -> Track | None:
    metric = recorded_metric(series)
    if not any(batch.canary and batch.baseline for batch in metric.batches):
        return None
    seconds = max(1.0, series.rule.window.total_seconds())
    pace = Pace.of(seconds)
    match metric.kind:
        case MetricKind.RATE:
            return track_rates([metric], pace)[0]
        case MetricKind.HISTOGRAM:
            return track_histograms([metric], pace)[0]
    return track_values(metric, pace, seconds)


def _errors(state: RolloutState, seconds: float, *, asked: bool) -> Shown:
    rows = state.errors
    canary, other, requests, other_requests = _rates(rows, 0)
    base = _base_of_margin(rows)
    return _shown_row(
        rows,
        0,
        seconds,
        Shown(
            "errors",
            ERRORS_WEIGHT,
            0.0,
            serious=canary >= other * ERRORS_GATE and canary >= other + ERRORS_FLOOR,
            safe=False,
            is_asked_now=asked,
            canary=100 * canary,
            other=100 * other,
            unit="%",
            requests=requests,
            beside="on the old",
            other_requests=other_requests,
            limit=100 * min(1.5 * base + 0.02, (1 + base) / 2),
        ),
    )


def _latency(state: RolloutState, seconds: float, *, asked: bool) -> Iterator[Shown]:
    if not len(state.standard.quantiles) or not (state.seen.sum() or state.latency.rows.harm.batches.any()):
        return
    at_step = [_quantiles(state, side) for side in state.seen]
    remembered = [_quantiles(state, one[0]) for one in (state.latency.canary, state.latency.baseline)]
    for place, quantile in enumerate(state.standard.quantiles):
        canary, other = (one[place] for one in (at_step if asked else remembered))
        rows = state.latency.rows
        now = [one[place] for one in remembered]
        yield _shown_row(
            rows,
            place,
            seconds,
            Shown(
                f"latency p{100 * quantile:g}",
                LATENCY_WEIGHT / len(state.standard.quantiles),
                0.0,
                serious=_is_slower(now[0], now[1], state.standard.latency.tolerance),
                safe=False,
                is_asked_now=asked,
                canary=canary,
                other=other,
                unit="ms",
                requests=float(rows.total[0, place]),
                beside="on the old",
            ),
        )


def _objective(state: RolloutState, seconds: float, words: str) -> Shown:
    limit = state.standard.objective
    held = _Limit("errors (objective)", OBJECTIVE_WEIGHT, limit, limit, words, STEP_MARGIN * limit + STEP_MARGIN_FLOOR)
    return _held_against(state.objective, held, seconds)


def _usual_errors(state: RolloutState, seconds: float) -> Iterator[Shown]:
    rows, now = state.usual.errors, state.usual.now
    if now is None or now.errors is None or now.errors_bound is None:
        return
    bound = float(now.errors_bound[0])
    words = f"usual at this time of the day, and {percent(bound)} on a bad one"
    excluded = float(slow_excluded(now.errors_bound + ERRORS_FLOOR)[0])
    held = _Limit("errors (usual)", USUAL_ERRORS_WEIGHT, bound, float(now.errors[0]), words, excluded)
    yield _held_against(rows, held, seconds)


@dataclass(frozen=True, slots=True)
class _Limit:
    """A share of errors that is held against a limit where nothing runs beside: the share that is `shown` for it,
    in words, and the one that must be excluded to pass."""

    name: str
    weight: float
    limit: float
    shown: float
    beside: str
    excluded: float


def _held_against(rows: Rows, held: _Limit, seconds: float) -> Shown:
    canary, _, requests, _ = _rates(rows, 0)
    return _shown_row(
        rows,
        0,
        seconds,
        Shown(
            held.name,
            held.weight,
            0.0,
            serious=canary >= held.limit * ERRORS_GATE and canary >= held.limit + ERRORS_FLOOR,
            safe=False,
            is_asked_now=True,
            canary=100 * canary,
            other=100 * held.shown,
            unit="%",
            requests=requests,
            beside=held.beside,
            limit=100 * held.excluded,
        ),
    )


def _is_first_alone(state: RolloutState) -> bool:
    """Whether latency is known of days, and nothing ran beside the new deployment in this rollout."""
    known = state.usual.now is not None and state.usual.now.latency is not None
    return known and not state.latency.rows.harm.batches.any()


def _usual_latency(state: RolloutState, seconds: float) -> Iterator[Shown]:
    now = state.usual.now
    if now is not None and now.latency is not None and now.slow_bound is not None:
        past = _Past("usual", "usual at this time of the day", now.latency, now.slow_bound)
        yield from _slower(state, state.usual.latency, past, seconds)


def _before(state: RolloutState, seconds: float) -> Iterator[Shown]:
    if not np.isnan(state.limits).any():
        past = _Past("before", "on the old before", state.latency.baseline[0], state.limits)
        yield from _slower(state, state.before, past, seconds)


@dataclass(frozen=True, slots=True)
class _Past:
    """What latency is held against: in a word and in words, the histogram, and the bounds of the slow shares."""

    name: str
    beside: str
    histogram: Floats
    limits: Floats


def _slower(state: RolloutState, rows: Rows, past: _Past, seconds: float) -> Iterator[Shown]:
    canary, other = _quantiles(state, state.seen[0]), _quantiles(state, past.histogram)
    for place, quantile in enumerate(state.standard.quantiles):
        share = _rates(rows, place)[0]
        slower = _is_slower(canary[place], other[place], state.standard.latency.tolerance)
        yield _shown_row(
            rows,
            place,
            seconds,
            Shown(
                f"latency p{100 * quantile:g} ({past.name})",
                BEFORE_WEIGHT / len(state.standard.quantiles),
                0.0,
                serious=slower and share >= BEFORE_RATIO * past.limits[place],
                safe=False,
                is_asked_now=True,
                canary=canary[place],
                other=other[place],
                unit="ms",
                requests=float(rows.total[0, place]),
                beside=past.beside,
            ),
        )


def _shown_row(rows: Rows, place: int, seconds: float, shown: Shown) -> Shown:
    """With what the row says of evidence, safety and time."""
    requests = float(rows.likely()[0, place])
    safety = float(rows.log_safety()[place])
    enough = float(rows.total[0, place]) >= LEAST_TO_FAIL
    safe = enough and safety >= -np.log(SAFE_LEVEL)
    return replace(
        shown,
        log_evidence=float(rows.log_lasting()[place]),
        log_suspicion=float(rows.harm.log_total()[place]),
        serious=bool(shown.serious and requests >= LEAST_TO_FAIL),
        safe=bool(safe),
        seconds=float(rows.since_batches[place]) * seconds if rows.is_seen()[place] else None,
        seconds_to_go=0.0 if safe else _to_go(rows, place, seconds),
    )


def _to_go(rows: Rows, place: int, seconds: float) -> float | None:
    batches = float(rows.batches_to(-log(SAFE_LEVEL))[place])
    for_requests = (LEAST_TO_FAIL / max(float(rows.total[0, place]), 1e-9) - 1) * float(rows.step_batches[place])
    return max(batches, for_requests, 1.0) * seconds if isfinite(batches) else None


def _rates(rows: Rows, place: int) -> tuple[float, float, float, float]:
    canary_of, canary_hits, baseline_of, baseline_hits = (float(one) for one in rows.likely()[:, place])
    return canary_hits / max(canary_of, 1.0), baseline_hits / max(baseline_of, 1.0), canary_of, baseline_of


def _base_of_margin(rows: Rows) -> float:
    _, _, of, hits = (float(one) for one in rows.total[:, 0])
    return hits / of if of else 0.0


def _is_slower(canary: float | None, other: float | None, tolerance: float) -> bool:
    if canary is None or other is None:
        return False
    return canary >= other * (1 + tolerance) and canary >= other + LEAST_SLOWNESS


def _quantiles(state: RolloutState, side: Floats) -> list[float | None]:
    if not len(state.standard.quantiles):
        return []
    found = quantiles_of(state.latency.edges, side[None], state.standard.quantiles)[0]
    return [None if np.isnan(one) else float(one) for one in found]
