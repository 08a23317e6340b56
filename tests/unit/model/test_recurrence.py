"""When something that begins by itself begins next."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model.builders import HOUR, MINUTE, NOON

from tidegate.model.recurrence import Recurrence
from tidegate.model.schedule import Schedule

DAY = 24 * HOUR
WEEKLY = Recurrence(every=7 * DAY)
NIGHTLY = Recurrence(schedule=Schedule("30 3 * * *", "UTC"))
NIGHT = NOON.replace(hour=3, minute=30)


@pytest.mark.parametrize(
    ("when", "last", "now", "next_at"),
    [
        (WEEKLY, None, NOON, NOON),
        (WEEKLY, NOON - DAY, NOON, NOON + 6 * DAY),
        (WEEKLY, NOON - 9 * DAY, NOON, NOON),
        (NIGHTLY, None, NOON, NIGHT + DAY),
        (NIGHTLY, None, NIGHT + 20 * MINUTE, NIGHT + 20 * MINUTE),
        (NIGHTLY, NIGHT + MINUTE, NIGHT + 20 * MINUTE, NIGHT + DAY),
    ],
)
def test_when_it_begins_next(when: Recurrence, last: datetime | None, now: datetime, next_at: datetime) -> None:
    assert when.next_at(last, now) == next_at


@given(
    st.sampled_from([WEEKLY, NIGHTLY, Recurrence(every=HOUR)]),
    st.none() | st.timedeltas(timedelta(0), 20 * DAY),
    st.timedeltas(timedelta(0), 3 * DAY),
)
def test_it_is_due_now_or_begins_later_and_is_due_then(
    when: Recurrence, ago: timedelta | None, into: timedelta
) -> None:
    now = NOON + into
    last = None if ago is None else now - ago
    next_at = when.next_at(last, now)
    assert when.is_due(last, now) is (next_at == now)
    assert next_at >= now and when.is_due(last, next_at)


def test_it_says_itself_when() -> None:
    assert (str(WEEKLY), str(NIGHTLY)) == ("every 7d", "at 30 3 * * * (UTC)")
