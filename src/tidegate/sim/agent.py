"""A simulated agent: it leases steps, takes its time, fails as told, falls silent and comes back late."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random

from tidegate.engine.giving import Ask, Held
from tidegate.engine.leasing import Leasing, Next
from tidegate.engine.refusal import Refused
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, StepOutcome, StepReport, TestReport
from tidegate.model.load import LoadReport
from tidegate.model.step_ahead import PROMISED_FOR
from tidegate.sim.agenda import Agenda
from tidegate.sim.broken import RuleBroken
from tidegate.sim.clock import SimulatedClock

SLOTS = 4
POLL_EVERY = timedelta(seconds=20)
RENEW_EVERY = timedelta(seconds=10)
TRY_AGAIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ends, and what its reports say where it has any."""

    outcome: StepOutcome
    tests: TestReport | None = None
    line_coverage: float | None = None
    load: LoadReport | None = None


@dataclass(frozen=True, slots=True)
class AgentFaults:
    """The probabilities that the answer with a lease is lost on its way, that an attempt is lost, and that the agent
    is silent for some minutes in the middle of a step."""

    answer_lost: float = 0.0
    attempt_lost: float = 0.0
    silent: float = 0.0


class SimulatedAgent:
    """One agent. `leasing` gives the server's side, None while the server is down."""

    def __init__(
        self,
        clock: SimulatedClock,
        random: Random,
        agenda: Agenda,
        leasing: Callable[[], Leasing | None],
        result: Callable[[Lease], Result],
        faults: AgentFaults,
    ) -> None:
        self._clock = clock
        self._random = random
        self._agenda = agenda
        self._leasing = leasing
        self._result = result
        self.faults = faults
        self._held: dict[StepRunId, Held] = {}
        self._promised: dict[StepRunId, tuple[Lease, datetime]] = {}
        self._following: dict[Held, Lease] = {}
        self._in_vain: set[tuple[StepRunId, int]] = set()
        self.knows_promises = True
        self.begun_by_itself = 0
        self._finished: set[Held] = set()
        self._ended: set[Held] = set()
        self._poll_planned = False
        self._reports = 0
        self.late_reports_refused = 0

    def begin(self) -> None:
        """Poll and renew from now on."""
        self._plan(timedelta(0), self._poll_regularly)
        self._plan(RENEW_EVERY, self._renew_regularly)

    @property
    def performs_something(self) -> bool:
        """Whether a command of it runs."""
        return bool(self._unfinished())

    def end(self) -> None:
        """Let it end with all that it performs, and come back: what it cannot find any more, it says to be lost."""
        for held in self._unfinished():
            self._ended.add(held)
            self._plan(TRY_AGAIN, partial(self._report_if_held, held, Result(StepOutcome.LOST)))

    def _unfinished(self) -> list[Held]:
        over = (*self._finished, *self._ended, *self._following)
        return [one for one in self._held.values() if one not in over]

    def wake(self) -> None:
        """Ask for work soon: the server says that there is some."""
        if not self._poll_planned:
            self._poll_planned = True
            self._plan(timedelta(seconds=self._random.uniform(0.01, 0.5)), self._poll)

    def _plan(self, after: timedelta, what: Callable[[], None]) -> None:
        self._agenda.plan(self._clock.now() + after, what)

    def _poll_regularly(self) -> None:
        self._plan(POLL_EVERY, self._poll_regularly)
        self._poll()

    def _poll(self) -> None:
        self._poll_planned = False
        leasing = self._leasing()
        if leasing is None:
            self._plan(TRY_AGAIN, self._poll)
            return
        self._take(leasing.lease("sim", SLOTS - len(self._held), list(self._held.values())))

    def _take(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            held = Held(lease.step_run, lease.attempt, lease.fence)
            if (lease.step_run, lease.attempt) in self._in_vain:
                raise RuleBroken("what began in vain is not begun again", f"{lease.step.name} of run {lease.run}")
            if self._random.random() >= self.faults.answer_lost:
                self._held[lease.step_run] = held
            # where the answer is lost, this is the ghost of an agent that got it and comes back late
            self._perform(lease)

    def _perform(self, lease: Lease) -> None:
        held = Held(lease.step_run, lease.attempt, lease.fence)
        self._plan(self._duration(), lambda: self._finish(lease, held))

    def _duration(self) -> timedelta:
        if self._random.random() < self.faults.silent:
            return timedelta(minutes=self._random.uniform(1, 50))
        return timedelta(seconds=self._random.uniform(0.2, 8))

    def _finish(self, lease: Lease, held: Held) -> None:
        if held in self._ended:
            return
        self._finished.add(held)
        lost = self._random.random() < self.faults.attempt_lost
        self._report(held, Result(StepOutcome.LOST) if lost else self._result(lease))

    def _report(self, held: Held, result: Result) -> None:
        leasing = self._leasing()
        self._plan_again_while_held(held, result)
        if leasing is None:
            return
        now, outcome = self._clock.now(), result.outcome
        code = {StepOutcome.SUCCEEDED: 0, StepOutcome.FAILED: 1}.get(outcome)
        detail = f"exit status {code}" if code is not None else outcome.value
        figures = {"tests": result.tests, "line_coverage": result.line_coverage, "load": result.load}
        report = replace(StepReport(outcome, code, detail, now, now), **figures)  # type: ignore[arg-type]
        others = [one for one in self._held.values() if one != held]
        began = self._go_ahead(held, outcome)
        answer = Next()
        try:
            self._reports += 1
            if began or self._reports % 2:  # agents of the releases before never ask with a result
                free = SLOTS - len(others) - len(began)
                ask = Ask("sim", free, [*others, *began], began=began if self.knows_promises else None)
                answer = leasing.report_and_ask(held, report, ask)
            else:
                leasing.report(held, report)
        except Refused:
            self.late_reports_refused += 1
            self._following.pop(held, None)
        following = self._following.pop(held, None)
        if following and not answer.began:
            self._in_vain.add((following.step_run, following.attempt))
        if self._held.get(held.step_run) == held:
            del self._held[held.step_run]
        for one in answer.began:
            assert following is not None
            self.begun_by_itself += 1
            self._held[one.step_run] = one
            self._perform(following)
        until = self._clock.now() + PROMISED_FOR
        self._promised |= {one.after: (one.lease, until) for one in answer.promises}
        self._take(answer.leases)

    def _go_ahead(self, held: Held, outcome: StepOutcome) -> list[Held]:
        """Begin what was promised after a step that succeeded; it is said again until the server has heard of it."""
        lease, until = self._promised.pop(held.step_run, (None, None))
        in_time = until is not None and self._clock.now() < until
        if lease and in_time and outcome is StepOutcome.SUCCEEDED and self._held.get(held.step_run) == held:
            self._following[held] = lease
        following = self._following.get(held)
        return [Held(following.step_run, following.attempt, following.fence)] if following else []

    def _plan_again_while_held(self, held: Held, result: Result) -> None:
        """The server may be down, or go down while it is told."""
        self._plan(TRY_AGAIN, lambda: self._report_if_held(held, result))

    def _report_if_held(self, held: Held, result: Result) -> None:
        if self._held.get(held.step_run) == held:
            self._report(held, result)

    def _renew_regularly(self) -> None:
        self._plan(RENEW_EVERY, self._renew_regularly)
        leasing = self._leasing()
        if leasing is None or not self._held:
            return
        renewal = leasing.renew("sim", list(self._held.values()))
        for step in renewal.refused:
            self._held.pop(step, None)
        for step in renewal.cancel:
            if step in self._held:
                self._report(self._held[step], Result(StepOutcome.CANCELLED))
