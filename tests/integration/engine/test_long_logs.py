"""Long logs: read from anywhere, and searched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidegate.engine.step_logs import MARK_EVERY, StepLogs
from tidegate.model.ids import RunId, StepRunId
from tidegate.model.lease import LogLine
from tidegate.model.step_run import AttemptId

LOG = AttemptId(RunId("run1"), StepRunId("step1"), 1)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def some(*texts: str) -> list[LogLine]:
    return [LogLine(NOW, text) for text in texts]


def texts(lines: tuple[LogLine, ...]) -> list[str]:
    return [line.text for line in lines]


@pytest.mark.parametrize(
    "first", [0, 1, MARK_EVERY - 1, MARK_EVERY, MARK_EVERY + 1, 2 * MARK_EVERY, 2 * MARK_EVERY + 499]
)
@pytest.mark.parametrize("fresh", [True, False])
def test_a_long_log_is_read_from_anywhere_also_by_a_server_that_did_not_write_it(
    tmp_path: Path, first: int, fresh: bool
) -> None:
    logs = StepLogs(tmp_path)
    whole = [f"line {number}" for number in range(2 * MARK_EVERY + 500)]
    for begin in range(0, len(whole), 700):
        logs.append(LOG, begin, some(*whole[begin : begin + 700]))
    reader = StepLogs(tmp_path) if fresh else logs
    assert texts(reader.read(LOG, first, 3)) == whole[first : first + 3]
    assert reader.read(LOG, len(whole)) == ()


def test_words_are_found_whatever_their_case_and_colour_with_the_places_of_their_lines(tmp_path: Path) -> None:
    logs = StepLogs(tmp_path)
    logs.append(LOG, 0, some("ok", "Te\x1b[31mst\x1b[0m failed", "ok", "TEST passed"))
    assert [index for index, _ in logs.page(LOG, 0, 9, "test").lines] == [1, 3]
    assert [index for index, _ in logs.page(LOG, 2, 9, "test").lines] == [3]
    first = logs.page(LOG, 0, 1, "test")
    assert ([index for index, _ in first.lines], first.is_full) == ([1], True)
    assert logs.page(LOG, 0, 9, "nowhere").lines == ()


def test_lines_that_no_encoding_can_hold_are_kept_with_a_mark_in_their_place(tmp_path: Path) -> None:
    logs = StepLogs(tmp_path)
    logs.append(LOG, 0, some("a\udcffb"))
    assert texts(logs.read(LOG)) == ["a?b"]
