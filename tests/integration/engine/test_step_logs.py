"""The logs of steps on disk: each line once and in order, whatever agents send again and whenever a server dies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.artifacts.full_disk import files_grow_only_to

from tidegate.engine.step_logs import PAGE_CHARACTERS, StepLogs
from tidegate.model.ids import RunId, StepRunId
from tidegate.model.lease import LogLine
from tidegate.model.step_run import AttemptId

RUN, STEP = "01hrun", "01hstep"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=12)


def attempt(step: str = STEP, run: str = RUN, number: int = 1) -> AttemptId:
    return AttemptId(RunId(run), StepRunId(step), number)


def lines(*texts: str) -> list[LogLine]:
    return [LogLine(NOON + timedelta(milliseconds=number), text) for number, text in enumerate(texts)]


def read(logs: StepLogs, first: int = 0, limit: int = 10_000) -> list[str]:
    return [line.text for line in logs.read(attempt(), first, limit)]


def append(logs: StepLogs, first: int, *texts: str) -> int:
    return logs.append(attempt(), first, lines(*texts))


@pytest.fixture
def logs(tmp_path: Path) -> StepLogs:
    return StepLogs(tmp_path / "steps")


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "steps" / RUN / f"{STEP}.1.jsonl"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, number=st.integers(0, 10**9))
def test_every_line_comes_back_as_it_was_with_its_time(logs: StepLogs, texts: list[str], number: int) -> None:
    step = f"step-{number}-{abs(hash(tuple(texts)))}"
    sent = tuple(lines(*texts))
    assert logs.append(attempt(step), 0, sent) == len(sent)
    assert logs.read(attempt(step)) == sent


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_again_or_too_early_each_line_is_kept_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    logs = StepLogs(folder)
    written = [f"line {number}" for number in range(20)]
    kept = 0
    for _ in range(data.draw(st.integers(1, 8))):
        first = data.draw(st.integers(0, 20))
        last = data.draw(st.integers(first, 20))
        kept = max(kept, last) if first <= kept else kept
        assert append(logs, first, *written[first:last]) == kept
        if data.draw(st.booleans()):
            logs = StepLogs(folder)  # another server
    assert read(logs) == written[:kept]


@pytest.mark.parametrize(
    ("first", "limit", "found"), [(0, 2, ["a", "b"]), (1, 2, ["b", "c"]), (2, 9, ["c"]), (3, 9, []), (0, 0, [])]
)
def test_a_part_of_a_log_is_read_by_the_index_of_its_first_line(
    logs: StepLogs, first: int, limit: int, found: list[str]
) -> None:
    append(logs, 0, "a", "b", "c")
    assert read(logs, first, limit) == found


def test_a_page_ends_with_its_lines_or_where_it_would_be_too_large(logs: StepLogs) -> None:
    append(logs, 0, *("x" * 1000 for _ in range(5000)))
    few = logs.page(attempt(), 7, 3)
    assert ([index for index, _ in few.lines], few.is_full) == ([7, 8, 9], True)
    large = logs.page(attempt(), 0, 5000)
    assert large.is_full
    assert PAGE_CHARACTERS < sum(len(line.text) for _, line in large.lines) <= PAGE_CHARACTERS + 1000
    last = logs.page(attempt(), 4000, 5000)
    assert (last.lines[0][0], last.lines[-1][0], last.is_full) == (4000, 4999, False)


def test_a_log_as_text_comes_whole_in_some_parts(logs: StepLogs) -> None:
    append(logs, 0, *(f"\x1b[32mline\x1b[0m {number}" for number in range(1200)))
    parts = list(logs.text(attempt()))
    assert 1 < len(parts) < 20
    written = "".join(parts).splitlines()
    assert [line.split(" ", 1)[1] for line in written] == [f"line {number}" for number in range(1200)]


def test_each_attempt_has_a_log_of_its_own(logs: StepLogs) -> None:
    for number in (1, 2):
        logs.append(attempt(number=number), 0, lines(f"attempt {number}"))
    assert [line.text for line in logs.read(attempt(number=2))] == ["attempt 2"]
    assert read(logs) == ["attempt 1"]
    assert logs.read(attempt(number=3)) == ()


@pytest.mark.parametrize("cut", range(1, 8))
def test_what_a_killed_server_left_of_a_last_line_is_not_shown_and_the_line_is_wanted_again(
    logs: StepLogs, tmp_path: Path, cut: int
) -> None:
    append(logs, 0, "first", "second")
    file = file_of(tmp_path)
    file.write_bytes(file.read_bytes()[: -9 * cut])
    again = StepLogs(tmp_path / "steps")
    whole = read(again)
    wanted = append(again, 2, "third")
    assert wanted == len(whole)
    append(again, wanted, *["first", "second", "third"][wanted:])
    assert read(again) == ["first", "second", "third"]


def test_a_disk_that_was_full_for_a_while_loses_and_spoils_no_line(logs: StepLogs, tmp_path: Path) -> None:
    append(logs, 0, "first")
    size = file_of(tmp_path).stat().st_size
    more = ["second", "third " + "x" * 200, "fourth"]
    for room in (size, size + 10, size + 70, size + 300):
        with files_grow_only_to(room), pytest.raises(OSError, match="File too large"):
            append(logs, 1, *more)
        assert read(logs)[:1] == ["first"]
    wanted = append(logs, 1, *more)
    assert wanted == 4
    assert read(logs) == ["first", *more]


def test_agents_that_send_the_same_lines_at_once_write_them_once(logs: StepLogs) -> None:
    together = Barrier(6, timeout=20)

    def _send(_: int) -> int:
        together.wait()
        return append(logs, 0, "a", "b", "c")

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(_send, range(6))) == {3}
    assert read(logs) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["../../admin-token", "a/b", "", "a.b", "a\0b"])
@pytest.mark.parametrize(
    "act",
    [
        lambda logs, run, step: logs.read(attempt(step, run)),
        lambda logs, run, step: logs.append(attempt(step, run), 0, lines("x")),
    ],
    ids=["read", "append"],
)
def test_a_name_that_would_lead_elsewhere_is_refused(
    logs: StepLogs, tmp_path: Path, act: Callable[[StepLogs, str, str], object], name: str
) -> None:
    for run, step in ((name, STEP), (RUN, name)):
        with pytest.raises(ValueError, match="is not an identifier"):
            act(logs, run, step)
    assert list(tmp_path.iterdir()) == []
