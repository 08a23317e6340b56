"""Recordings → answers, by the method that each names."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.model.recording import Method, RecordedAnswer, Recording


def judge_recordings(recordings: Sequence[Recording]) -> list[RecordedAnswer]:
    """The answer to each recording, in order; those that are judged alike are judged together, which is faster."""
    answers: dict[int, RecordedAnswer] = {}
    for method in Method:
        places = [place for place, one in enumerate(recordings) if one.method is method]
        if places:
            judged = _by(method, [recordings[place] for place in places])
            answers.update(zip(places, judged, strict=True))
    return [answers[place] for place in range(len(recordings))]


def _by(method: Method, recordings: Sequence[Recording]) -> Sequence[RecordedAnswer]:
    match method:
        case Method.SEQUENTIAL:
            from tidegate.judge.sequential import judge_sequentially

            return judge_sequentially(recordings)
        case Method.MANN_WHITNEY:
            from tidegate.judge.mann_whitney.recorded import judge_as_kayenta

            return [judge_as_kayenta(one) for one in recordings]
        case Method.THRESHOLD:
            from tidegate.judge.threshold import judge_by_threshold

            return [judge_by_threshold(one) for one in recordings]
