"""What an agent keeps of an attempt: each file whole or missing, and understood by the next agent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.artifacts.full_disk import files_grow_only_to

from tidegate.agent.record import AttemptRecord, Part
from tidegate.agent.wire import Held, Taken
from tidegate.model.ids import Commit, RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import Lease, StepOutcome, StepReport
from tidegate.model.pipeline import Step

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REPORT = StepReport(StepOutcome.FAILED, 3, "exit status 3", NOON, NOON)


def a_lease(step_run: str = "01step", script: str = "make") -> Lease:
    return Lease(
        step_run=StepRunId(step_run),
        attempt=2,
        fence=7,
        run=RunId("01run"),
        service=ServiceName("shop"),
        scope="build",
        step=Step(StepName("test"), script),
        source="/git/shop.git",
        commit=Commit("a" * 40),
        path=".",
        setup=None,
        env={"A": "b"},
        artifacts={},
    )


@pytest.fixture
def attempts(tmp_path: Path) -> Path:
    folder = tmp_path / "attempts"
    folder.mkdir()
    return folder


@pytest.fixture
def record(attempts: Path) -> AttemptRecord:
    return AttemptRecord.create(attempts, Taken(a_lease(), "boot", NOON))


def test_the_next_agent_finds_all_that_was_kept(record: AttemptRecord, attempts: Path) -> None:
    record.keep_began(Part.STEP, NOON, "0123abcd")
    record.keep_ending(StepOutcome.TIMED_OUT, "it took longer than 10 s")
    record.keep_report(REPORT)
    (found,) = AttemptRecord.all_in(attempts)
    assert found.held == Held(StepRunId("01step"), 2, 7)
    assert found.taken() == Taken(a_lease(), "boot", NOON)
    assert (found.began(Part.SETUP), found.began(Part.STEP)) == (None, NOON)
    assert found.checkout() == "0123abcd"
    assert found.ending() == (StepOutcome.TIMED_OUT, "it took longer than 10 s")
    assert found.report() == REPORT


def test_what_an_agent_of_the_first_release_kept_is_read(record: AttemptRecord) -> None:
    (record.folder / "began-step").write_text(NOON.isoformat())
    (record.folder / "checkout").write_text("0123abcd")
    assert (record.began(Part.STEP), record.checkout()) == (NOON, "0123abcd")


def test_of_what_was_not_kept_there_is_nothing(record: AttemptRecord) -> None:
    assert (record.began(Part.STEP), record.checkout(), record.ending(), record.report()) == (None,) * 4


ACTS = {
    "began-step": lambda record: record.keep_began(Part.STEP, NOON, "0123456789abcdef"),
    "ending.json": lambda record: record.keep_ending(StepOutcome.FAILED, "x" * 100),
    "report.json": lambda record: record.keep_report(REPORT),
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("room", [0, 5])
def test_what_does_not_fit_on_the_disk_is_an_error_and_leaves_what_was_there(
    record: AttemptRecord, name: str, room: int
) -> None:
    act: Callable[[AttemptRecord], None] = ACTS[name]
    with files_grow_only_to(room), pytest.raises(OSError, match="File too large"):
        act(record)
    assert not (record.folder / name).exists()
    act(record)
    whole = (record.folder / name).read_bytes()
    with files_grow_only_to(room), pytest.raises(OSError, match="File too large"):
        act(record)
    assert (record.folder / name).read_bytes() == whole


def test_a_lease_that_does_not_fit_on_the_disk_is_not_kept_in_part(attempts: Path) -> None:
    taken = Taken(a_lease(script="x" * 5000), "boot", NOON)
    with files_grow_only_to(2000), pytest.raises(OSError, match="File too large"):
        AttemptRecord.create(attempts, taken)
    (left,) = AttemptRecord.all_in(attempts)
    with pytest.raises(ValueError, match=r"lease\.json"):
        left.taken()


@pytest.mark.parametrize("content", [b"", b"{", b'{"outcome": "sideways"}', b"\xff"])
def test_what_a_power_cut_left_of_a_file_counts_as_not_kept(record: AttemptRecord, content: bytes) -> None:
    for name in ("ending.json", "report.json", "began-step", "lease.json"):
        (record.folder / name).write_bytes(content)
    assert (record.ending(), record.report(), record.began(Part.STEP)) == (None, None, None)
    with pytest.raises(ValueError):  # noqa: PT011  pydantic's own words
        record.taken()


def test_what_is_kept_is_the_agents_own(record: AttemptRecord) -> None:
    record.keep_report(REPORT)
    for file in record.folder.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
    assert record.folder.stat().st_mode & 0o777 == 0o711


@pytest.mark.parametrize("step_run", ["../01step", "a/b", "", "a.b", "x" * 65])
def test_an_id_that_would_lead_elsewhere_is_refused(attempts: Path, step_run: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of an attempt's folder"):
        AttemptRecord.create(attempts, Taken(a_lease(step_run), "boot", NOON))
    assert list(attempts.iterdir()) == []


def test_a_removed_attempt_is_found_no_more_and_strangers_are_left_alone(record: AttemptRecord, attempts: Path) -> None:
    (attempts / "notes").mkdir()
    record.remove()
    assert AttemptRecord.all_in(attempts) == []
    assert [path.name for path in attempts.iterdir()] == ["notes"]


def test_the_clock_of_run_began_with_what_was_run_first(record: AttemptRecord) -> None:
    assert record.clock_began(Part.STEP) is None
    record.keep_began(Part.STEP, NOON + timedelta(seconds=5), "0123abcd")
    assert record.clock_began(Part.STEP) == NOON + timedelta(seconds=5)
    record.keep_began(Part.FIRST, NOON, "0123abcd")
    assert record.clock_began(Part.STEP) == record.clock_began(Part.FIRST) == NOON
    assert record.clock_began(Part.SETUP) is None
