"""Schedules: a gate that opens at certain times, for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import UNHURRIED

from tidegate.model.schedule import Schedule, WrongSchedule, check_cron

LONDON = ZoneInfo("Europe/London")
HOUR = timedelta(hours=1)


def in_london(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "is_open", "changes"),
    [
        ("2026-03-02T08:59:59", False, "2026-03-02T09:00"),
        ("2026-03-02T09:00", True, "2026-03-02T10:00"),
        ("2026-03-02T09:59:59", True, "2026-03-02T10:00"),
        ("2026-03-02T10:00", False, "2026-03-03T09:00"),
        ("2026-03-05T10:00", False, "2026-03-09T09:00"),
        ("2026-03-26T10:00", False, "2026-03-30T09:00"),
    ],
)
def test_a_schedule_opens_at_its_times_for_a_while(now: str, is_open: bool, changes: str) -> None:
    schedule = Schedule("0 9 * * mon-thu", "Europe/London", HOUR)
    assert schedule.is_open(in_london(now)) is is_open
    assert schedule.changes_at(in_london(now)) == in_london(changes)


def test_times_that_follow_closely_are_one_opening() -> None:
    schedule = Schedule("0 9-12 * * *", "Europe/London", HOUR)
    assert schedule.changes_at(in_london("2026-03-02T09:30")) == in_london("2026-03-02T13:00")


def test_a_schedule_that_never_shuts_is_looked_at_again_and_is_open_then() -> None:
    schedule = Schedule("* * * * *", "Europe/London", HOUR)
    again = schedule.changes_at(in_london("2026-03-02T09:30"))
    assert again is not None and again > in_london("2026-03-02T09:30") and schedule.is_open(again)


def test_a_time_that_the_clock_leaps_over_comes_right_after_the_leap() -> None:
    schedule = Schedule("30 1 * * *", "Europe/London", timedelta(minutes=10))
    leap = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert schedule.changes_at(leap - timedelta(minutes=30)) == leap
    assert schedule.is_open(leap)
    assert schedule.changes_at(leap) == leap + timedelta(minutes=10)


def test_a_time_that_the_clock_shows_twice_counts_once() -> None:
    schedule = Schedule("30 1 * * *", "Europe/London", timedelta(minutes=10))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert schedule.is_open(first)
    assert not schedule.is_open(first + HOUR)
    assert schedule.changes_at(first + HOUR) == in_london("2026-10-26T01:30")


@given(
    st.sampled_from(["0 9 * * *", "30 1 * * *", "*/20 * * * *", "15,45 */2 * * *", "0 0 * * sun", "0 0-4 * * *"]),
    st.sampled_from([(LONDON, 3, 29), (LONDON, 10, 25), (ZoneInfo("America/New_York"), 11, 1)]),
    st.integers(-1440, 1440),
    st.sampled_from([5, 60, 200]),
)
@UNHURRIED
def test_a_schedule_is_what_it_was_until_it_changes(
    cron: str, place: tuple[ZoneInfo, int, int], offset: int, stays: int
) -> None:
    zone, month, day = place
    now = datetime(2026, month, day, 2, tzinfo=UTC) + timedelta(minutes=offset)
    schedule = Schedule(cron, zone.key, timedelta(minutes=stays))
    changes = schedule.changes_at(now)
    assert changes is not None and changes > now
    minutes = range(1, int((changes - now) / timedelta(minutes=1)))
    assert all(
        schedule.is_open(now + timedelta(minutes=one)) is schedule.is_open(now)
        for one in (*minutes[:5], *minutes[5:1500:37], *minutes[-5:])
    )
    if schedule.is_open(now) is schedule.is_open(changes):
        assert schedule.is_open(changes), "only an opening may be looked at again before it ends"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 31 2 *", "no month that it names is so long"),
        ("0 0 */31 2 mon#5", "no such day"),
        ("0 25 * * *", '"25" is no hour'),
        ("0 9 * * mond", '"mond" is no day of the week'),
        ("* * * *", "five fields"),
        ("0 0 9 * * *", "five fields"),
        ("0 9 * * */0", '"\\*/0" is no day of the week'),
        ("0 9 * * mon-", '"mon-" is no day of the week'),
    ],
)
def test_what_names_no_time_is_wrong_and_says_why(text: str, words: str) -> None:
    with pytest.raises(WrongSchedule, match=words):
        check_cron(text)


@given(st.text(max_size=40) | st.text(alphabet="0123456789*/-,#L monJAN", max_size=30))
@UNHURRIED
def test_no_text_is_worse_than_wrong(text: str) -> None:
    try:
        check_cron(text)
    except WrongSchedule:
        return
    assert Schedule(text, "UTC").changes_at(datetime(2026, 1, 1, tzinfo=UTC)) is not None
