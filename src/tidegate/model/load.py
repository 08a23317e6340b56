"""A load check: a service's capacity and its knee, from what each step of a ramp of requests showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from tidegate.model.ids import EnvironmentName
from tidegate.model.quantity import format_rate
from tidegate.model.verdict import Verdict

STEPS = 8
"""A ramp goes up in so many steps of one length: with a multiple of 2, by a quarter of the busiest minute each."""

LEAST_SENT = 20
"""Of fewer requests a step shows nothing; validation refuses a ramp whose first step has fewer."""

MOST_FAILED = 0.01
"""A rate is held while fewer of its requests fail than this,"""

LEAST_ANSWERED = 0.95
"""and while the answers come at this share of it at least. What is sent at less of it was not offered."""

_LEAVES = 2.0
_LEAVES_BY_MS = 5.0
"""p99 leaves where it is so many times what it was, and so much more, and does not come back."""


@dataclass(frozen=True, slots=True)
class LoadRule:
    """What a stage's load check asks for: `multiple` times what `of` was asked in its busiest minute of the last week,
    and `at_least` requests a second, however few that were. `ramp` is how long it takes in all."""

    of: EnvironmentName
    at_least: float
    path: str = "/"
    multiple: float = 2.0
    ramp: timedelta = timedelta(minutes=2)
    protected: bool = False
    """Whether it may be made in a protected environment."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is sent where: a rate (requests a second) after the other, each for so many seconds.

    `busiest` is what the environment of the rule was asked in its busiest minute, None where it was asked nothing.
    """

    url: str
    rates: tuple[float, ...]
    seconds: float
    busiest: int | None = None


@dataclass(frozen=True, slots=True)
class LoadStep:
    """What one rate of the ramp came to: `rate` was to be sent, `sent_rate` was, and answers came at `answered_rate`.

    Milliseconds are from the moment at which a request was due; they are None where nothing was answered.
    """

    rate: float
    sent: int
    failed: int
    sent_rate: float
    answered_rate: float
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @property
    def failed_share(self) -> float:
        """How many of its requests failed."""
        return self.failed / self.sent if self.sent else 1.0

    @property
    def is_offered(self) -> bool:
        """Whether the agent could send it: else it says nothing of the service."""
        return self.sent >= LEAST_SENT and self.sent_rate >= LEAST_ANSWERED * self.rate

    @property
    def is_held(self) -> bool:
        """Whether the service answered so much, and well."""
        answered = self.answered_rate >= LEAST_ANSWERED * min(self.rate, self.sent_rate)
        return self.is_offered and answered and self.failed_share < MOST_FAILED


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What an agent measured: the steps in the order in which they were sent."""

    steps: tuple[LoadStep, ...]
    began_at: datetime
    ended_at: datetime
    busiest: int | None = None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load check says: the rate that was held, that at which p99 begins to leave, and whether it is enough.

    `multiple` is how many times the busiest minute was held, None where that is not known.
    """

    verdict: Verdict
    reason: str
    asked: float
    capacity: float
    knee: float | None
    multiple: float | None


def asked_rate(rule: LoadRule, busiest: int | None) -> float:
    """The rate that has to be held, in requests a second."""
    return max(rule.at_least, rule.multiple * (busiest or 0) / 60)


def plan_load(rule: LoadRule, address: str, busiest: int | None) -> LoadPlan:
    """The ramp for a service at this address."""
    asked = asked_rate(rule, busiest)
    rates = tuple(asked * number / STEPS for number in range(1, STEPS + 1))
    return LoadPlan(address + rule.path, rates, rule.ramp.total_seconds() / STEPS, busiest)


def capacity_of(steps: Sequence[LoadStep]) -> float:
    """The highest rate that was held, with all below it; 0 where not even the first was."""
    held = 0.0
    for step in steps:
        if not step.is_held:
            break
        held = step.rate
    return held


def knee_of(steps: Sequence[LoadStep]) -> float | None:
    """The rate at which p99 leaves what it was before, not to come back; None where it stays."""
    p99s = [float("inf") if step.p99 is None else step.p99 for step in steps]
    for index in range(1, len(steps)):
        usual = median(p99s[:index])
        if all(p99 > max(_LEAVES * usual, usual + _LEAVES_BY_MS) for p99 in p99s[index:]):
            return steps[index].rate
    return None


def judge_load(rule: LoadRule, report: LoadReport) -> LoadResult:
    """Whether a service holds what is asked of it. What the agent could not send says nothing of the service."""
    steps = report.steps
    asked = asked_rate(rule, report.busiest)
    capacity = capacity_of(steps)
    multiple = round(capacity * 60 / report.busiest, 2) if report.busiest else None
    beyond = next((step for step in steps if not step.is_held), None)
    if not steps or (beyond is None and capacity < asked * LEAST_ANSWERED):
        verdict, reason = Verdict.NO_DATA, "the ramp was not sent to its end"
    elif beyond is None:
        verdict, reason = Verdict.PASS, f"{_held(rule, report, capacity)}: {_well(steps)}"
    elif not beyond.is_offered:
        verdict, reason = Verdict.NO_DATA, _not_offered(beyond, capacity)
    else:
        before = next((step for step in reversed(steps) if step.rate == capacity), None)
        verdict = Verdict.FAIL
        reason = f"{_held(rule, report, capacity)}, and {_asked(rule, asked, report)}: {_beyond(before, beyond)}"
    return LoadResult(verdict, reason, asked, capacity, knee_of(steps), multiple)


def _held(rule: LoadRule, report: LoadReport, capacity: float) -> str:
    if not capacity:
        return f"did not hold even {format_rate(report.steps[0].rate)}"
    if not report.busiest:
        return f"held {format_rate(capacity)} (nothing is known of a busiest minute in {rule.of})"
    times = f"{capacity * 60 / report.busiest:.3g}"
    per_minute = f"{report.busiest:,} requests/min → {capacity * 60:,.0f}"
    return f"held {times} times the busiest minute of the last week in {rule.of} ({per_minute})"


def _asked(rule: LoadRule, asked: float, report: LoadReport) -> str:
    if report.busiest and asked * 60 <= rule.multiple * report.busiest:
        return f"{rule.multiple:g} times are asked"
    return f"{format_rate(asked)} are asked"


def _well(steps: Sequence[LoadStep]) -> str:
    last, knee = steps[-1], knee_of(steps)
    failed = f"{last.failed_share:.2%}" if last.failed else "none"
    p99 = f", p99 {_ms(last.p99)}" if last.p99 is not None else ""
    leaves = f" (from {format_rate(knee)} on it leaves what it was)" if knee else ""
    return f"{failed} of its requests failed there{p99}{leaves}"


def _beyond(before: LoadStep | None, beyond: LoadStep) -> str:
    """What went wrong at the first rate that was not held."""
    said = []
    if beyond.failed_share >= MOST_FAILED:
        said.append(f"{beyond.failed_share:.0%} of the requests failed")
    if beyond.answered_rate < LEAST_ANSWERED * min(beyond.rate, beyond.sent_rate):
        said.append(f"{format_rate(beyond.answered_rate)} of {format_rate(beyond.rate)} were answered")
    if before and before.p99 is not None and beyond.p99 is not None and beyond.p99 > _LEAVES * before.p99:
        said.append(f"p99 rose from {_ms(before.p99, unit=False)} to {_ms(beyond.p99)}")
    return f"beyond it {' and '.join(said)}"


def _not_offered(step: LoadStep, capacity: float) -> str:
    reason = f"the agent could send no more than {format_rate(step.sent_rate)} of {format_rate(step.rate)}"
    held = f"; the service held {format_rate(capacity)}" if capacity else ""
    return f"{reason}{held}; give the load check an agent with more processors (labels)"


def _ms(value: float, *, unit: bool = True) -> str:
    text = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
    return f"{text} ms" if unit else text
