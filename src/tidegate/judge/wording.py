"""What a judge says to people."""

from __future__ import annotations

from datetime import timedelta

from tidegate.judge.shown import Shown
from tidegate.model.quantity import format_duration

_SURE = 0.95
"""How sure it is that what must be excluded is (see `tracks.SAFE_LEVEL`)."""


def harm_sentence(shown: Shown, p: float, level: float, whole: float) -> str:
    """What the new deployment does worse; `whole` is the length of all that was judged, in seconds."""
    recent = f" in the last {span(shown.seconds)}" if shown.seconds and shown.seconds < 0.9 * whole else ""
    return f"{_figures(shown)}{recent} ({p_value(p)}, level {percent(level)} over the whole rollout)"


def safe_sentence(shown: Shown) -> str:
    """What the new deployment does, and what is excluded."""
    if shown.unit != "%" or not shown.limit:
        return _figures(shown)
    return f"{_figures(shown)}; {shown.limit:.3g}% or more is excluded at {percent(_SURE)}"


def suspected_sentence(shown: Shown) -> str:
    """What may be harm and is not certain enough yet."""
    return f"{_figures(shown)}: this may be harm, more requests will tell"


def unsure_sentence(shown: Shown, others: int) -> str:
    """What is not known yet, and how long it would take to know; `others` metrics wait as well, and less long."""
    also = f" ({others} more {'metric waits' if others == 1 else 'metrics wait'} too)" if others else ""
    if not shown.requests:
        return f"{shown.name}: still being measured on the old deployment, nothing is compared yet{also}"
    what = f"{shown.limit:.3g}% or more" if shown.limit else "harm above the margin"
    return f"{_figures(shown)}; {what} is not excluded yet, {_to_go(shown)}{also}"


def percent(rate: float) -> str:
    """A share in percent, with up to three digits that mean something: `18.2%`, `0.012%`."""
    return f"{float(f'{100 * rate:.3g}'):g}%"


def p_value(p: float) -> str:
    """`p = 2e-31`."""
    return f"p = {p:.1g}" if p >= 1e-99 else "p < 1e-99"


def span(seconds: float) -> str:
    """So many seconds in words, at least one."""
    return format_duration(timedelta(seconds=max(1, round(seconds))))


def _figures(shown: Shown) -> str:
    if shown.unit == "%":
        of = f"{_number(shown.canary, '%')} of {shown.requests:,.0f} requests on the new deployment"
        others = "" if shown.other_requests is None else f" of {shown.other_requests:,.0f}"
        return f"{shown.name}: {of} against {_number(shown.other, '%')}{others} {shown.beside}"
    return (
        f"{shown.name}: {_number(shown.canary, shown.unit)} on the new deployment "
        f"against {_number(shown.other, shown.unit)} {shown.beside}"
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "nothing"
    return percent(value / 100) if unit == "%" else f"{value:.3g} {unit}".strip()


def _to_go(shown: Shown) -> str:
    if shown.seconds_to_go is None:
        return "and would not be while both go on like this"
    return f"about {span(shown.seconds_to_go)} more at this traffic"
