"""What the demo's story came to: whose users saw failures, and how long a bad version went on being asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.demo.report import summarise
from tidegate.demo.story import Played
from tidegate.demo.traffic import Answered
from tidegate.demo.versions import Version

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def played(name: str, status: str, *, faulty: bool = False, deployment: str | None = None) -> Played:
    version = Version(name, Path(name), faulty)
    decided = NOON if status == "rolled_back" else None
    return Played(version, "c" * 40, f"run of {name}", status, ("production: approved",), decided, deployment, "why")


GOOD = played("good", "succeeded", deployment="d-good")
BAD = played("bad", "rolled_back", faulty=True, deployment="d-bad")


@pytest.mark.parametrize(
    ("answer", "outside"),
    [
        (Answered(NOON, "d-bad", failed=True), 0),
        (Answered(NOON, "d-good", failed=True), 1),
        (Answered(NOON, None, failed=True), 1),
        (Answered(NOON, "nobody's", failed=True), 1),
        (Answered(NOON, "d-good", failed=False), 0),
        (Answered(NOON, None, failed=False), 0),
    ],
    ids=["of the canary", "of the good one", "unanswered", "of a stranger", "good", "good without a mark"],
)
def test_a_failure_is_the_canarys_only_where_it_carries_its_mark(answer: Answered, outside: int) -> None:
    report = summarise([GOOD, BAD], [answer], 1.0)
    assert (report.requests, report.failed, report.failed_outside) == (1, int(answer.failed), outside)
    assert report.as_told is (outside == 0)


ANSWERS = st.lists(
    st.builds(Answered, st.just(NOON), st.sampled_from(["d-good", "d-bad", None]), failed=st.booleans()), max_size=30
)


@given(answers=ANSWERS)
def test_every_request_is_counted_once(answers: list[Answered]) -> None:
    report = summarise([GOOD, BAD], answers, 1.0)
    inside = len([one for one in answers if one.failed and one.deployment == "d-bad"])
    assert report.requests == len(answers)
    assert report.failed == report.failed_outside + inside == len([one for one in answers if one.failed])


def test_failures_of_a_bad_version_that_was_not_rolled_back_are_everybodys() -> None:
    kept = played("bad", "succeeded", faulty=True, deployment="d-bad")
    report = summarise([GOOD, kept], [Answered(NOON, "d-bad", failed=True)], 1.0)
    assert report.failed_outside == 1
    assert not report.as_told


@pytest.mark.parametrize(
    ("one", "as_told"),
    [
        (GOOD, True),
        (BAD, True),
        (played("good", "rolled_back"), False),
        (played("bad", "succeeded", faulty=True), False),
        (played("good", "failed"), False),
        (played("bad", "failed", faulty=True), False),
    ],
)
def test_a_good_version_is_promoted_and_a_faulty_one_rolled_back_or_it_is_not_as_told(
    one: Played, as_told: bool
) -> None:
    assert summarise([one], [], 1.0).as_told is as_told


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [([-5.0, 0.25], 0.25), ([0.1, 0.4, 0.2], 0.4), ([-5.0], 0.0), ([], 0.0)],
    ids=["one after the decision", "the last counts", "none after it", "none at all"],
)
def test_a_rollback_takes_until_the_last_request_that_the_bad_version_was_sent(
    sent: list[float], seconds: float
) -> None:
    answers = [Answered(after(one), "d-bad", failed=False) for one in sent]
    others = [Answered(after(9), "d-good", failed=False), Answered(after(9), None, failed=True)]
    assert summarise([GOOD, BAD], [*answers, *others], 1.0).rollback_seconds == (seconds,)


def test_what_scripts_read_has_its_names_and_is_json() -> None:
    answers = [Answered(after(0.25), "d-bad", failed=True), Answered(NOON, None, failed=True)]
    told = json.loads(json.dumps(summarise([GOOD, BAD], answers, 12.34567).to_json()))
    assert told["rolled_back"] == ["c" * 40]
    assert (told["requests"], told["failed_requests"], told["failed_requests_outside_canary"]) == (2, 2, 1)
    assert (told["rollback_seconds"], told["duration_seconds"], told["as_told"]) == (0.25, 12.346, False)
    assert [(one["name"], one["status"], one["faulty"]) for one in told["releases"]] == [
        ("good", "succeeded", False),
        ("bad", "rolled_back", True),
    ]
    assert summarise([GOOD], [], 1.0).to_json()["rollback_seconds"] is None
