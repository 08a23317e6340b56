"""What agents ask: leases of steps, renewals, log lines and results, each guarded by its fence."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine import known_tests
from tidegate.engine.engine import Engine
from tidegate.engine.giving import Ask, Giver, Held, Poll, Saved, changing, step_event
from tidegate.engine.loading import Gone
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.engine.step_logs import StepLogs
from tidegate.model.decision import Decision
from tidegate.model.event import EventKind
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, LogLine, StepOutcome, StepReport
from tidegate.model.run import Run
from tidegate.model.step_ahead import Promise
from tidegate.model.step_cache import CachedResult
from tidegate.model.step_run import STATE_OF, StepRun, StepState
from tidegate.store import events, queries, rows
from tidegate.store.database import savepoint

log = logging.getLogger(__name__)

LOST_AFTER_TIMEOUT = timedelta(minutes=5)
"""How long after a step's own time-out a silent agent's step counts as lost."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What an agent should end: `cancel` because somebody asked, `refused` because it no longer holds the lease."""

    cancel: tuple[StepRunId, ...]
    refused: tuple[StepRunId, ...]


@dataclass(frozen=True, slots=True)
class Next:
    """What an agent hears with the answer to a result: what it gets, what of that which it began by itself is its own,
    and what it may begin by itself after these."""

    leases: tuple[Lease, ...] = ()
    began: tuple[Held, ...] = ()
    promises: tuple[Promise, ...] = ()

    @property
    def given(self) -> frozenset[StepRunId]:
        """The steps that the agent has by it."""
        return frozenset([*(one.step_run for one in self.leases), *(one.step_run for one in self.began)])


@dataclass(frozen=True, slots=True)
class Taken:
    """What may begin by the end of a step: steps that became ready, and others of its group if it had one. `next` is
    what its agent was given in the same transaction; with `has_looked` there is no more."""

    ready: frozenset[StepRunId] = frozenset()
    in_group: bool = False
    saved: Saved | None = None
    next: Next = Next()
    has_looked: bool = False


class Leasing:
    """The server's side of the agents."""

    def __init__(self, engine: Engine, logs: StepLogs) -> None:
        self._engine = engine
        self._parts = engine.parts
        self._logs = logs
        self._giver = Giver(self._parts)

    def poll(self, ask: Ask) -> Poll:
        """A request for steps, which is looked at as long as the agent waits for an answer."""
        return Poll(self._giver, ask)

    def lease(
        self, agent: str, slots_free: int, held: Sequence[Held], labels: Collection[str] = ()
    ) -> tuple[Lease, ...]:
        """Up to `slots_free` ready steps for an agent that asks and does not wait."""
        return self.poll(Ask(agent, slots_free, held, labels)).look()

    def renew(self, agent: str, held: Sequence[Held], *, only_own: bool = False) -> Renewal:
        """Say that these attempts go on; with `only_own`, those that the agent leased under that name."""
        cancel: list[StepRunId] = []
        refused: list[StepRunId] = []
        leased_until = self._parts.clock.now() + self._parts.settings.step_lease
        for one in held:
            with changing(self._parts.database, one.step_run) as (connection, step, _):
                if step is None or not _holds(step, one) or (only_own and step.agent != agent):
                    refused.append(one.step_run)
                    continue
                rows.put(connection, replace(step, agent=agent, leased_until=leased_until))
                if step.cancel_asked:
                    cancel.append(one.step_run)
        return Renewal(tuple(cancel), tuple(refused))

    def append_log(self, held: Held, first: int, lines: Sequence[LogLine], agent: str | None = None) -> int:
        """Keep lines from index `first` on; which index is wanted next. Raises Refused for an old fence, or another
        agent's step."""
        with self._parts.database.reading() as connection:
            step = queries.step(connection, held.step_run)
        if step is None:
            raise not_found("step run", held.step_run)
        if step.attempt != held.attempt or step.fence != held.fence or agent not in (None, step.agent):
            raise _not_yours(held)
        return self._logs.append(step.logged_by(step.attempt), first, lines)

    def report(self, held: Held, report: StepReport, agent: str | None = None) -> bool:
        """Take the result of an attempt; the same result again changes nothing. Raises Refused for an old fence, or
        another agent's step."""
        self._tell_of(self._take(held, report, agent))
        return True

    def report_and_ask(self, held: Held, report: StepReport, ask: Ask, agent: str | None = None) -> Next:
        """Take the result of an attempt, and give the agent at once what is ready for it by that, or was before.

        Others hear only of what is left. What the agent asks names what it has besides that attempt. Raises Refused.
        """
        poll = Poll(self._giver, ask, with_result=True)
        with self._giver.turn_of(ask.agent):
            taken = self._take(held, report, agent, poll)
            self._giver.note_answered((*taken.next.leases, *taken.next.began))
        following = taken.next
        try:
            if not taken.has_looked:
                following = replace(following, leases=poll.look())
                following = self._with_promises(following, poll, taken.saved)
        finally:
            self._tell_of(taken, following.given)
        return following

    def end_lost(self) -> None:
        """Give up on steps whose agent is silent long after their own time-out."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            lost = [step for step in queries.running_steps(connection) if _is_lost(step, now)]
        for one in lost:
            with changing(self._parts.database, one.id) as (connection, step, run):
                if step is None or run is None or not _is_lost(step, now):
                    continue
                detail = f"agent {step.agent} has been silent since {step.leased_until}; the step's time is over"
                report = StepReport(StepOutcome.LOST, None, detail, step.began_at or now, now)
                self._end(connection, run, step, report)
            self._engine.queue.hint(f"run:{one.run}")

    def end_all_of(self, connection: Connection, agent: str, detail: str) -> tuple[StepRun, ...]:
        """Give up on all steps of an agent; gives those, whose runs have to be looked at once this is committed."""
        now = self._parts.clock.now()
        performed = [(one, queries.run(connection, one.run)) for one in queries.steps_of_agent(connection, agent)]
        # in one order, so that two who lock several services do not wait for each other
        for service in sorted({run.service for _, run in performed if run}):
            self._parts.database.lock_service(connection, service)
        given_up = []
        for seen, run in performed:
            step = queries.step(connection, seen.id)
            if run and step == seen:
                self._end(connection, run, step, StepReport(StepOutcome.LOST, None, detail, step.began_at or now, now))
                given_up.append(step)
        return tuple(given_up)

    def _take(self, held: Held, report: StepReport, agent: str | None, poll: Poll | None = None) -> Taken:
        """Keep a result, and look at its run with it; give what is next in the same transaction where that is safe."""
        with changing(self._parts.database, held.step_run) as (connection, step, run):
            if step is None or run is None:
                raise not_found("step run", held.step_run)
            if agent not in (None, step.agent):
                raise _not_yours(held)
            if step.attempt == held.attempt and step.fence == held.fence and step.state.is_ended:
                return Taken(next=Next(began=poll.confirm_within(connection, None) if poll else ()))
            if not _holds(step, held):
                raise _not_yours(held)
            self._end(connection, run, step, report)
            decision, taken = self._go_on(connection, run, poll)
        if decision is None:
            self._engine.queue.hint(f"run:{run.id}")
        else:
            self._engine.follow(run, decision)
        return replace(taken, in_group=step.step.concurrency is not None)

    def _go_on(self, connection: Connection, run: Run, poll: Poll | None) -> tuple[Decision | None, Taken]:
        """Decide about a run in the transaction that ended a step of it, and give what is next. No decision where that
        fails: what an agent did is kept all the same."""
        try:
            with savepoint(connection):
                state, decision = self._engine.decide_run(connection, run)
                saved = Saved.of(state, decision)
                taken = Taken(decision.ready_steps, saved=saved)
                return decision, self._given_within(connection, taken, saved, poll) if poll else taken
        except Gone:
            return None, Taken()
        except Exception:
            log.exception("looking at run:%s with a result of it failed; it is looked at again", run.id)
            return None, Taken()

    def _given_within(self, connection: Connection, taken: Taken, saved: Saved, poll: Poll) -> Taken:
        began = poll.confirm_within(connection, saved)
        # elsewhere other writers are at work, and what is next may be another service's: its lock could be held by
        # somebody who waits for this one's
        if not self._parts.database.is_sqlite:
            return replace(taken, next=Next(began=began))
        leases = poll.look_within(connection, saved)
        given = Next(leases, began)
        promises = poll.promises(connection, given.given, saved)
        return replace(taken, next=replace(given, promises=promises), has_looked=True)

    def _with_promises(self, following: Next, poll: Poll, saved: Saved | None) -> Next:
        if saved is None or not following.given:
            return following
        with self._parts.database.reading() as connection:
            return replace(following, promises=poll.promises(connection, following.given, saved))

    def _tell_of(self, taken: Taken, given: Collection[StepRunId] = ()) -> None:
        """Have agents ask again where something is left for them."""
        if taken.in_group or taken.ready - set(given):
            self._engine.steps_may_run()

    def _end(self, connection: Connection, run: Run, step: StepRun, said: StepReport) -> None:
        now = self._parts.clock.now()
        report = known_tests.as_it_counts(connection, run, step, said, now)
        state = STATE_OF[report.outcome]
        # of one that its agent began by itself the server heard when it was over already
        ended_at = max(report.ended_at, step.began_at or report.ended_at)
        ended = replace(step, state=state, report=report, ended_at=ended_at, leased_until=None)
        rows.put(connection, ended)
        if ended.key and said.outcome is StepOutcome.SUCCEEDED:
            rows.put(connection, self._result(run, ended, ended.key, report))
        text = f"{step.scope}: {step.name} {ended.ending}"
        found = known_tests.note(connection, run, step, report)
        events.append(connection, [step_event(EventKind.STEP_ENDED, text, run, step), *found], now)

    def _result(self, run: Run, step: StepRun, key: str, report: StepReport) -> CachedResult:
        """What the cache keeps. The key is the server's own, so an agent cannot put a result under another one."""
        now = self._parts.clock.now()
        size = report.outputs.size if report.outputs else 0
        return CachedResult(key, run.service, run.id, step.id, step.attempt, report, size, now, now)


def _not_yours(held: Held) -> Refused:
    return Refused(Refusal.CONFLICT, f"the lease of {held.step_run} is no longer yours")


def _is_lost(step: StepRun, now: datetime) -> bool:
    """Whether its agent is silent, and its own time has been over for long."""
    silent = step.leased_until is None or step.leased_until < now
    began = step.began_at or now
    running = step.state is StepState.RUNNING
    return running and silent and now > began + step.step.timeout + LOST_AFTER_TIMEOUT


def _holds(step: StepRun, held: Held) -> bool:
    return step.state is StepState.RUNNING and step.attempt == held.attempt and step.fence == held.fence
