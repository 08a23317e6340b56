"""Windows: open whenever the clock on the wall shows one of their times, right across daylight-saving changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import UNHURRIED

from tidegate.model.calendar import Calendar, Days
from tidegate.model.local_time import UnknownZone, first_moment, say_when
from tidegate.model.window import EVERY_DAY, Hours, Weekday, Window, any_open, changes_at

LONDON = "Europe/London"
OFFICE = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU)
MINUTE = timedelta(minutes=1)

SETTINGS_OF_CLOCKS = (
    (LONDON, datetime(2026, 3, 29, 1, tzinfo=UTC)),  # 01:00 to 02:00
    (LONDON, datetime(2026, 10, 25, 1, tzinfo=UTC)),  # 02:00 to 01:00
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),  # there is no midnight
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),  # 01:00 to 00:00
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),  # 00:00 to 23:00 of the day before
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day that never was
    ("Pacific/Kwajalein", datetime(1993, 8, 21, 12, tzinfo=UTC)),  # another one
    ("Asia/Kolkata", datetime(2026, 3, 29, 1, tzinfo=UTC)),  # never set
)


def in_london(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(LONDON)).astimezone(UTC)


def office(**other: object) -> Window:
    return Window(LONDON, OFFICE, Hours(time(9), time(16, 30)), **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "is_open", "changes"),
    [
        ("2026-03-02T08:59", False, "2026-03-02T09:00"),
        ("2026-03-02T09:00", True, "2026-03-02T16:30"),
        ("2026-03-02T16:29:59", True, "2026-03-02T16:30"),
        ("2026-03-02T16:30", False, "2026-03-03T09:00"),
        ("2026-03-05T17:00", False, "2026-03-09T09:00"),
        ("2026-03-26T17:00", False, "2026-03-30T09:00"),  # the clock is set forward between
        ("2026-10-22T17:00", False, "2026-10-26T09:00"),  # and back
    ],
)
def test_a_window_opens_and_closes_by_the_clock_on_the_wall(now: str, is_open: bool, changes: str) -> None:
    assert office().is_open(in_london(now)) is is_open
    assert changes_at([office()], in_london(now)) == in_london(changes)


@pytest.mark.parametrize(
    ("day", "hours", "changes"),
    [
        # from 01:00 to 02:00: what is between is not there
        ("2026-03-29", Hours(time(1), time(1, 30)), []),
        ("2026-03-29", Hours(time(1, 30), time(3)), ["01:00", "02:00"]),
        ("2026-03-29", Hours(time(0, 30), time(1, 30)), ["00:30", "01:00"]),
        ("2026-03-29", Hours(time(0, 30), time(2)), ["00:30", "01:00"]),
        # from 02:00 to 01:00: what is between is there twice
        ("2026-10-25", Hours(time(1), time(1, 30)), ["00:00", "00:30", "01:00", "01:30"]),
        ("2026-10-25", Hours(time(1, 30), time(3)), ["00:30", "01:00", "01:30", "03:00"]),
        ("2026-10-25", Hours(time(1), time(2)), ["00:00", "02:00"]),
        ("2026-10-25", Hours(time(0, 30), time(1, 30)), ["23:30", "00:30", "01:00", "01:30"]),
    ],
)
def test_when_clocks_are_set_a_window_is_open_while_they_show_its_times(
    day: str, hours: Hours, changes: list[str]
) -> None:
    """In London, with the changes in UTC."""
    window = Window(LONDON, (Weekday.SUN,), hours)
    now = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=UTC) - timedelta(hours=1)
    found: list[str] = []
    while (changed := changes_at([window], now)) is not None and len(found) < len(changes):
        now = changed
        found.append(f"{now:%H:%M}")
    assert found == changes
    assert changed is not None and changed.date() > date.fromisoformat(day)


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = Window(LONDON, (Weekday.FRI,), Hours(time(22), time(2)))
    assert night.is_open(in_london("2026-03-06T22:00"))
    assert night.is_open(in_london("2026-03-07T01:59"))
    assert not night.is_open(in_london("2026-03-06T01:00"))
    assert not night.is_open(in_london("2026-03-07T22:00"))
    assert changes_at([night], in_london("2026-03-06T23:00")) == in_london("2026-03-07T02:00")


def test_a_day_left_out_is_closed_from_midnight_to_midnight() -> None:
    christmas = Days(date(2026, 12, 24), date(2026, 12, 28))
    now = in_london("2026-12-23T17:00")
    assert changes_at([office(left_out=(christmas,))], now) == in_london("2026-12-29T09:00")
    night = Window(LONDON, EVERY_DAY, Hours(time(22), time(2)), left_out=(christmas,))
    assert changes_at([night], in_london("2026-12-23T23:00")) == in_london("2026-12-24T00:00")
    assert changes_at([night], in_london("2026-12-24T00:00")) == in_london("2026-12-29T00:00")


def test_a_calendars_days_are_those_of_its_own_place() -> None:
    holiday = Calendar("holidays", "Asia/Tokyo", (Days(date(2026, 3, 3), date(2026, 3, 3)),))
    always = Window(LONDON, calendars=(holiday,))
    assert changes_at([always], in_london("2026-03-02T12:00")) == in_london("2026-03-02T15:00")
    assert changes_at([always], in_london("2026-03-02T15:00")) == in_london("2026-03-03T15:00")
    assert not always.is_open(in_london("2026-03-03T14:59"))


def test_several_windows_are_one_gap_less_each() -> None:
    both = [office(), Window(LONDON, OFFICE, Hours(time(16, 30), time(18)))]
    assert any_open(both, in_london("2026-03-02T17:00"))
    assert changes_at(both, in_london("2026-03-02T10:00")) == in_london("2026-03-02T18:00")


def test_what_is_always_open_never_changes() -> None:
    assert changes_at([Window(LONDON)], in_london("2026-03-02T10:00")) is None
    halves = [Window(LONDON, hours=Hours(time(0), time(12))), Window(LONDON, hours=Hours(time(12), time(0)))]
    assert changes_at(halves, in_london("2026-03-02T10:00")) is None


def test_a_zone_that_is_not_there_is_said_by_name() -> None:
    with pytest.raises(UnknownZone, match="Europe/Londn"):
        Window("Europe/Londn").is_open(in_london("2026-03-02T10:00"))


def test_a_window_says_itself() -> None:
    assert str(office()) == "Mon–Thu 09:00–16:30 (Europe/London)"
    assert str(Window(LONDON, (Weekday.SAT, Weekday.MON))) == "Mon, Sat 00:00–24:00 (Europe/London)"
    assert say_when(in_london("2026-03-30T09:00"), LONDON) == "Mon 30 Mar 2026 09:00 (Europe/London)"


def test_a_day_begins_at_its_first_moment_even_where_there_is_no_midnight() -> None:
    assert first_moment(date(2026, 4, 24), ZoneInfo("Africa/Cairo")) == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert first_moment(date(2011, 12, 30), ZoneInfo("Pacific/Apia")) == datetime(2011, 12, 30, 10, tzinfo=UTC)
    assert first_moment(date(2026, 3, 29), ZoneInfo(LONDON)) == datetime(2026, 3, 29, 0, tzinfo=UTC)


def by_brute_force(windows: list[Window], moment: datetime) -> bool:
    """What somebody sees who knows the windows and looks at the clock and the calendar on the wall."""
    for one in windows:
        local = moment.astimezone(ZoneInfo(one.timezone))
        minutes = local.hour * 60 + local.minute
        begins = one.hours.begins.hour * 60 + one.hours.begins.minute
        length = (one.hours.ends.hour * 60 + one.hours.ends.minute - begins) % 1440 or 1440
        days_since = (minutes - begins) // 1440  # -1 before today's hours: those of yesterday then
        began_on = local.date() + timedelta(days=days_since)
        excepted = any(days.first <= local.date() <= days.last for days in one.left_out)
        weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[began_on.weekday()]
        inside = (minutes - begins) % 1440 < length
        if inside and not excepted and weekday in {str(day.value) for day in one.days}:
            return True
    return False


QUARTERS = st.integers(-8, 8).map(lambda quarters: timedelta(minutes=15 * quarters))


@st.composite
def hours(draw: st.DrawFn, setting: datetime) -> Hours:
    """Hours that begin or end near what the wall's clock shows when it is set, or any."""
    near = setting.replace(tzinfo=None) + draw(QUARTERS)
    begins = near.time() if draw(st.booleans()) else time(draw(st.sampled_from([0, 9, 22])))
    ends = (near + draw(QUARTERS)).time() if draw(st.booleans()) else time(draw(st.sampled_from([0, 2, 17])))
    return Hours() if begins == ends else Hours(begins, ends)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Window], datetime]:
    """Windows of a place, and a moment near the setting of its clock."""
    place, setting = draw(st.sampled_from(SETTINGS_OF_CLOCKS))
    before = st.integers(-1600, 300) | st.integers(-90, 90)
    now = setting + timedelta(minutes=draw(before), seconds=draw(st.sampled_from([0, 0, 1, 59])))
    days = st.just(EVERY_DAY) | st.lists(st.sampled_from(list(Weekday)), min_size=1, unique=True).map(tuple)
    around = st.integers(-2, 2).map(lambda offset: setting.date() + timedelta(days=offset))
    left_out = st.lists(around.map(lambda day: Days(day, day)), max_size=1).map(tuple)
    shown = (setting - timedelta(seconds=1)).astimezone(ZoneInfo(place)) + timedelta(seconds=1)
    windows = st.builds(Window, st.just(place), days, hours(shown), left_out)
    return draw(st.lists(windows, min_size=1, max_size=2)), now


@given(stories())
@UNHURRIED
def test_around_the_setting_of_clocks_a_window_is_what_the_wall_says_minute_by_minute(
    story: tuple[list[Window], datetime],
) -> None:
    windows, now = story
    answer = by_brute_force(windows, now)
    assert any_open(windows, now) is answer
    expected = None
    minute = now.replace(second=0)
    for _ in range(2000):
        minute += MINUTE
        if by_brute_force(windows, minute) is not answer:
            expected = minute
            break
    found = changes_at(windows, now)
    if expected is None:
        assert found is None or found > minute
    else:
        assert found == expected
