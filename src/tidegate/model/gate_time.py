"""The rules of a gate about time: windows, schedules, freezes, and a clock that went back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from tidegate.model.freeze import Freeze, changes_at
from tidegate.model.gate import RuleVerdict, opens, waits
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import GateRules
from tidegate.model.local_time import UnknownZone, say_when
from tidegate.model.schedule import Schedule
from tidegate.model.window import UnknownCalendar, Window, any_open
from tidegate.model.window import changes_at as window_changes_at

CLOCK_MAY_DIFFER = timedelta(seconds=2)
"""Between two events that were recorded at once: so far no clock counts as set back."""


def time_rules(question: GateQuestion, now: datetime) -> Iterator[RuleVerdict]:
    """What each of the rules about time says. One that cannot be evaluated waits, and says why."""
    if (verdict := _clock(question, now)) is not None:
        yield verdict
    yield _freeze(question, now)
    for rules in question.rules:
        try:
            if rules.windows:
                yield _window(rules, question, now)
            if rules.schedule:
                yield _schedule(rules, rules.schedule, now)
        except (UnknownZone, UnknownCalendar) as error:
            yield waits("window", f"{error}, which {rules.source} names", "correct it, or the server's configuration")


def _clock(question: GateQuestion, now: datetime) -> RuleVerdict | None:
    """Where the clock was set back, what is over may seem to come: nothing opens until it shows a new time."""
    latest = question.latest_recorded
    if latest is None or now >= latest - CLOCK_MAY_DIFFER:
        return None
    text = f"the server's clock was set back: something is recorded of {say_when(latest, 'UTC')}, which it has not yet"
    return waits("clock", text, "set the clock right, or wait", latest)


def _freeze(question: GateQuestion, now: datetime) -> RuleVerdict:
    again = changes_at(question.freezes, now)
    holding = [one for one in question.freezes if one.holds(now)]
    if not holding:
        return opens("freeze", f"{question.environment} is not frozen", again)
    last = max(holding, key=lambda one: one.ends)
    others = f", and {len(holding) - 1} more" if len(holding) > 1 else ""
    text = f"frozen until {say_when(last.ends, last.timezone)} by {last.by.name}: {last.reason}{others}"
    return waits("freeze", text, _thaw(last), again)


def _thaw(freeze: Freeze) -> str | None:
    return None if freeze.is_configured else f"tidegate thaw {freeze.id}"


def _window(rules: GateRules, question: GateQuestion, now: datetime) -> RuleVerdict:
    windows = tuple(one.knowing(question.calendars) for one in rules.windows)
    place = windows[0].timezone
    changes = window_changes_at(windows, now)
    when = say_when(changes, place) if changes else "never"
    said = _said(windows, rules)
    if any_open(windows, now):
        until = f" until {when}" if changes else ""
        return opens("window", f"the window {said} is open{until}", changes)
    return waits("window", f"opens {when}: the window is {said}", look_again_at=changes)


def _said(windows: tuple[Window, ...], rules: GateRules) -> str:
    text = " or ".join(str(one) for one in windows)
    return f"{text}, as {rules.source} demands" if rules.is_floor else text


def _schedule(rules: GateRules, schedule: Schedule, now: datetime) -> RuleVerdict:
    changes = schedule.changes_at(now)
    when = say_when(changes, schedule.timezone) if changes else "never"
    floor = f", as {rules.source} demands" if rules.is_floor else ""
    if schedule.is_open(now):
        return opens("schedule", f"the schedule {schedule} opened it{floor}", changes)
    return waits("schedule", f"opens {when}: the schedule is {schedule}{floor}", look_again_at=changes)
