"""Error budgets: how many failures an objective allows in 30 days, what is left of them, and how fast they go.

The windows are those of the Site Reliability Workbook (Beyer, Murphy, Rensin, Kawahara, Thorne 2018, chapter 5): a
budget burns where more than `rate` times as many requests fail as the objective allows in the long run, over a long
window, which makes it matter, and over a short one as well, which ends it soon after the trouble has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidegate.model.traffic import Span, Traffic

BUDGET_OVER = timedelta(days=30)

FEWEST_FAILURES = 10
"""In the long window: at a few requests a minute a single failure would be many times the allowed rate."""


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A long and a short window, and from which multiple of the allowed rate on both of them speak."""

    long: timedelta
    short: timedelta
    rate: float


FAST = (
    BurnWindow(timedelta(hours=1), timedelta(minutes=5), 14.4),
    BurnWindow(timedelta(hours=6), timedelta(minutes=30), 6.0),
)
"""Two percent of the budget in an hour, five in six: somebody should look at once."""

SLOW = (
    BurnWindow(timedelta(days=1), timedelta(hours=2), 3.0),
    BurnWindow(timedelta(days=3), timedelta(hours=6), 1.0),
)
"""Ten percent in a day or in three: somebody should look in the next days."""


@dataclass(frozen=True, slots=True)
class Burn:
    """A budget that burns: in `window`, `failed` of `requests` failed, `times` as many as the objective allows."""

    window: BurnWindow
    failed: int
    requests: int
    times: float

    @property
    def is_fast(self) -> bool:
        """Whether somebody should look at once."""
        return self.window in FAST

    @property
    def text(self) -> str:
        """In words."""
        hours = self.window.long / timedelta(hours=1)
        within = f"{hours:g} h" if hours < 24 else f"{hours / 24:g} d"
        of = f"{self.failed:,} of {self.requests:,} requests failed within {within}"
        return f"{of}, {self.times:.3g} times as many as the objective allows"


def budget_left(availability: float, requests: int, errors: int) -> float | None:
    """Percent of the budget that is left after so many requests; negative where more was used. None without requests,
    and where nothing may fail."""
    allowed = requests * (1 - availability)
    return 100 * (1 - errors / allowed) if allowed > 0 else None


def is_used_up(availability: float, requests: int, errors: int) -> bool:
    """Whether nothing is left of the budget, by failures enough to tell."""
    left = budget_left(availability, requests, errors)
    return left is not None and left <= 0 and errors >= FEWEST_FAILURES


def burning(availability: float, traffic: Sequence[Traffic], now: datetime) -> tuple[Burn, ...]:
    """How a budget burns, fastest first; nothing where it does not. `traffic` holds rows of minutes and of hours."""
    if availability >= 1:
        return ()
    found = (_burn(availability, window, traffic, now) for window in (*FAST, *SLOW))
    return tuple(one for one in found if one)


def _burn(availability: float, window: BurnWindow, traffic: Sequence[Traffic], now: datetime) -> Burn | None:
    requests, failed = _counted(traffic, window.long, now)
    recent, failed_recently = _counted(traffic, window.short, now)
    if failed < FEWEST_FAILURES or not recent:
        return None
    times = failed / requests / (1 - availability)
    now_times = failed_recently / recent / (1 - availability)
    return Burn(window, failed, requests, times) if min(times, now_times) >= window.rate else None


def _counted(traffic: Iterable[Traffic], over: timedelta, now: datetime) -> tuple[int, int]:
    """Requests and failures in the time up to now, by the rows that begin in it: of minutes where those are kept."""
    span = Span.MINUTE if over <= timedelta(hours=6) else Span.HOUR
    rows = [one for one in traffic if one.span is span and now - over <= one.begin <= now]
    return sum(one.requests for one in rows), sum(one.errors for one in rows)
