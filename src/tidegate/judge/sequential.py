"""The sequential judge of recordings."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.model.recording import RecordedAnswer, Recording
from tidegate.model.verdict import Verdict


def judge_sequentially(recordings: Sequence[Recording]) -> list[RecordedAnswer]:
    return [RecordedAnswer(Verdict.NO_DATA, "nothing was measured") for _ in recordings]
