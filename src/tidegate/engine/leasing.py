"""What agents ask: leases of steps, renewals, log lines and results, each guarded by its fence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine import known_tests
from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.engine.step_logs import StepLogs
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import StepRunId, placement_id
from tidegate.model.lease import Lease, LogLine, StepOutcome, StepReport
from tidegate.model.run import Run
from tidegate.model.step_cache import CachedResult
from tidegate.model.step_environment import address_of, step_environment
from tidegate.model.step_queue import choose
from tidegate.model.step_run import BUILD, STATE_OF, StepRun, StepState
from tidegate.store import agent_queries, events, queries, queue_queries, rows

LOOKED_AT_EACH = 20
"""Ready steps of each name of each service, or as many as there are slots: where none of so many may run, those after
them wait as well."""

LOST_AFTER_TIMEOUT = timedelta(minutes=5)
"""How long after a step's own time-out a silent agent's step counts as lost."""

ROUNDS_AT_MOST = 10
"""How often an agent to which others are ahead every time looks for steps that are left."""


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that an agent says it has."""

    step_run: StepRunId
    attempt: int
    fence: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """What an agent should end: `cancel` because somebody asked, `refused` because it no longer holds the lease."""

    cancel: tuple[StepRunId, ...]
    refused: tuple[StepRunId, ...]


class Leasing:
    """The server's side of the agents."""

    def __init__(self, engine: Engine, logs: StepLogs) -> None:
        self._engine = engine
        self._parts = engine.parts
        self._logs = logs

    def lease(
        self,
        agent: str,
        slots_free: int,
        held: Sequence[Held],
        labels: Collection[str] = (),
        *,
        only_known: bool = False,
    ) -> tuple[Lease, ...]:
        """Up to `slots_free` ready steps, in a fair order; see `choose`. None for an agent that is being drained, nor
        with `only_known` for one that was removed.

        A step that the server thinks this agent has, and that the agent does not name, never reached it: it is
        leased again, with a higher fence.
        """
        named = {(one.step_run, one.attempt) for one in held}
        for _ in range(ROUNDS_AT_MOST):
            with self._parts.database.reading() as connection:
                seen = agent_queries.agent(connection, agent)
                if seen is None and only_known:
                    return ()
                running = queries.steps_of_agent(connection, agent)
                orphaned = [one for one in running if (one.id, one.attempt) not in named]
                slots = max(0, slots_free - len(orphaned)) if seen is None or seen.takes_more else 0
                wanted = [*orphaned, *self._next_steps(connection, labels, slots)]
            leases = tuple(lease for step in wanted if (lease := self._lease(agent, step)))
            if leases or not wanted:
                return leases
        return ()

    def _next_steps(self, connection: Connection, labels: Collection[str], slots: int) -> list[StepRun]:
        ready = queue_queries.ready_steps(connection, max(slots, LOOKED_AT_EACH)) if slots else ()
        chosen = choose(ready, queue_queries.steps_under_way(connection), labels, slots) if ready else ()
        found = (queries.step(connection, one.id) for one in chosen)
        # one of them may have been given to another agent since it was chosen
        return [step for step in found if step and step.state is StepState.READY]

    def renew(self, agent: str, held: Sequence[Held], *, only_own: bool = False) -> Renewal:
        """Say that these attempts go on; with `only_own`, those that the agent leased under that name."""
        cancel: list[StepRunId] = []
        refused: list[StepRunId] = []
        leased_until = self._parts.clock.now() + self._parts.settings.step_lease
        for one in held:
            with self._changing(one.step_run) as (connection, step, _):
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
        with self._changing(held.step_run) as (connection, step, run):
            if step is None or run is None:
                raise not_found("step run", held.step_run)
            if agent not in (None, step.agent):
                raise _not_yours(held)
            if step.attempt == held.attempt and step.fence == held.fence and step.state.is_ended:
                return True
            if not _holds(step, held):
                raise _not_yours(held)
            self._end(connection, run, step, report)
        self._engine.queue.hint(f"run:{run.id}")
        if step.step.concurrency:
            self._engine.steps_may_run()
        return True

    def end_lost(self) -> None:
        """Give up on steps whose agent is silent long after their own time-out."""
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            lost = [step for step in queries.running_steps(connection) if _is_lost(step, now)]
        for one in lost:
            with self._changing(one.id) as (connection, step, run):
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

    @contextmanager
    def _changing(self, step_run: StepRunId) -> Iterator[tuple[Connection, StepRun | None, Run | None]]:
        """A step run and its run, which nobody else changes before the transaction ends."""
        with self._parts.database.writing() as connection:
            step = queries.step(connection, step_run)
            run = queries.run(connection, step.run) if step else None
            if run:
                self._parts.database.lock_service(connection, run.service)
                step = queries.step(connection, step_run)
            yield connection, step, run

    def _lease(self, agent: str, seen: StepRun) -> Lease | None:
        """Lease a step to an agent, unless it has changed since it was seen, or its group is full by now."""
        with self._changing(seen.id) as (connection, step, run):
            if step != seen or run is None or (step.state is StepState.READY and self._is_kept_out(connection, step)):
                return None
            return self._give(connection, agent, step, run)

    def _is_kept_out(self, connection: Connection, step: StepRun) -> bool:
        """Whether others of the step's group run that were not seen when it was chosen."""
        group = step.step.concurrency
        if group is None:
            return False
        self._parts.database.lock_service(connection, f"group:{group.group}")
        running = queue_queries.steps_under_way(connection)
        return (
            sum(one.concurrency is not None and one.concurrency.group == group.group for one in running) >= group.limit
        )

    def _give(self, connection: Connection, agent: str, step: StepRun, run: Run) -> Lease:
        now = self._parts.clock.now()
        assert run.pipeline is not None
        first_time = step.state is StepState.READY
        step = replace(
            step,
            state=StepState.RUNNING,
            fence=step.fence + 1,
            agent=agent,
            leased_until=now + self._parts.settings.step_lease,
            began_at=step.began_at or now,
        )
        rows.put(connection, step)
        if first_time:
            text = f"{step.scope}: {step.name} begins on {agent}"
            events.append(connection, [self._event(EventKind.STEP_BEGAN, text, run, step)], now)
        release = queries.release(connection, run.release)
        needed = queries.needed_steps(connection, step)
        environment, address = self._site(connection, run, step)
        tests = known_tests.handed_with(connection, run, step, now)
        return Lease(
            step_run=step.id,
            attempt=step.attempt,
            fence=step.fence,
            run=run.id,
            service=run.service,
            scope=step.scope,
            step=step.step,
            source=self._parts.sources.source_of(run.service),
            commit=run.change.commit,
            path=run.pipeline.path,
            setup=run.pipeline.build.setup,
            env=step_environment(run, step, environment, address),
            artifacts={one.file: one.digest for one in release.artifacts} if release else {},
            outputs=tuple(one.report.outputs for one in needed if one.report and one.report.outputs),
            failed_tests=tests.failed,
            watched_tests=tests.watched,
            excused_tests=tests.excused,
        )

    def _site(self, connection: Connection, run: Run, step: StepRun) -> tuple[str | None, str | None]:
        if step.scope == BUILD or run.pipeline is None:
            return None, None
        environment = next(one.environment for one in run.pipeline.stages if one.name == step.scope)
        placement = queries.placement(connection, placement_id(run.service, environment))
        return environment, address_of(placement) if placement else None

    def _end(self, connection: Connection, run: Run, step: StepRun, said: StepReport) -> None:
        now = self._parts.clock.now()
        report = known_tests.as_it_counts(connection, run, step, said, now)
        state = STATE_OF[report.outcome]
        ended = replace(step, state=state, report=report, ended_at=report.ended_at, leased_until=None)
        rows.put(connection, ended)
        if ended.key and said.outcome is StepOutcome.SUCCEEDED:
            rows.put(connection, self._result(run, ended, ended.key, report))
        text = f"{step.scope}: {step.name} {state.value}" + (f": {report.detail}" if report.detail else "")
        found = known_tests.note(connection, run, step, report)
        events.append(connection, [self._event(EventKind.STEP_ENDED, text, run, step), *found], now)

    def _result(self, run: Run, step: StepRun, key: str, report: StepReport) -> CachedResult:
        """What the cache keeps. The key is the server's own, so an agent cannot put a result under another one."""
        now = self._parts.clock.now()
        size = report.outputs.size if report.outputs else 0
        return CachedResult(key, run.service, run.id, step.id, step.attempt, report, size, now, now)

    def _event(self, kind: EventKind, text: str, run: Run, step: StepRun) -> Event:
        about = {"service": str(run.service), "run": str(run.id), "step": str(step.name), "scope": step.scope}
        return Event(kind, text, about, data={"attempt": step.attempt})


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
