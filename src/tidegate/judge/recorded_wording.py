"""What the judge of recordings says to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from tidegate.judge.tracks import Track
from tidegate.judge.wording import percent, span
from tidegate.model.recording import MetricKind, Recording
from tidegate.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Told:
    """What a recording's reason is made of: its metrics' tracks, the verdict, and the batch `at` which it was given."""

    recording: Recording
    tracks: Sequence[Track]
    verdict: Verdict
    at: int
    blamed: int | None
    failed_at: int | None
    passed_at: int | None
    missing: tuple[str, ...]


def recorded_reason(told: Told) -> str:
    """Why a recording is judged as it is: with the figures, and with what would help where nothing can be said."""
    match told.verdict:
        case Verdict.FAIL:
            return _recorded_fail(told)
        case Verdict.PASS:
            figures = "; ".join(_recorded_figures(told, place) for place in range(len(told.tracks)))
            return f"passed after {_after(told, told.passed_at)}: harm above the margins is excluded ({figures})"
        case Verdict.NO_DATA:
            names = ", ".join(told.missing)
            return f"no data of both sides in any batch: {names}; nothing is known of what was not measured"
    return _recorded_doubt(told)


def _recorded_fail(told: Told) -> str:
    place = told.blamed or 0
    track = told.tracks[place]
    evidence = float(np.exp(min(track.log_evidence[min(told.at, len(track.known) - 1)], 690.0)))
    level = percent(told.recording.alpha)
    return (
        f"{_recorded_figures(told, place)} (evidence {evidence:.3g}, level {level} over the whole rollout), "
        f"seen after {_after(told, told.failed_at)}"
    )


def _recorded_doubt(told: Told) -> str:
    open_ones = [place for place, track in enumerate(told.tracks) if not len(track.safe) or not track.safe[-1]]
    if not open_ones:
        return "harm is suspected, or the latest batches lack data; more requests will tell"
    waits = {place: max(told.tracks[place].to_go, 1.0) for place in open_ones}
    slowest = max(open_ones, key=lambda place: waits[place])
    left = waits[slowest]
    seconds = left * told.recording.batch_seconds
    never = "and would not be while both go on like this at this traffic"
    more = never if seconds > _LONGEST_TOLD else f"about {span(seconds)} more at this traffic"
    return f"harm above the margin is not excluded yet, {more}; {_recorded_figures(told, slowest)}"


_LONGEST_TOLD = 30 * 86_400.0


def _recorded_figures(told: Told, place: int) -> str:
    metric, track = told.recording.metrics[place], told.tracks[place]
    if not len(track.known):
        return f"{metric.name}: nothing was measured"
    at = min(told.at, len(track.known) - 1)
    canary, baseline = float(track.canary[at]), float(track.baseline[at])
    if isnan(canary) or isnan(baseline):
        return f"{metric.name}: nothing to compare"
    match metric.kind:
        case MetricKind.RATE:
            of = f" of {track.requests[at]:,.0f} requests"
            return f"{metric.name}: {percent(canary)}{of} on the canary against {percent(baseline)} on the baseline"
        case MetricKind.HISTOGRAM:
            return f"{metric.name}: p{100 * track.quantile[at]:g} {canary:.4g} on the canary against {baseline:.4g}"
    grows = ", and it grows" if track.grows[at] else ""
    return f"{metric.name}: {canary:.4g} on the canary against {baseline:.4g}{grows}"


def _after(told: Told, batch: int | None) -> str:
    return span(((batch or 0) + 1) * told.recording.batch_seconds)
