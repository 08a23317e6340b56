"""What agents ask: leases of steps, renewals, log lines and results, each guarded by its fence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.engine.step_logs import StepLogs
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import StepRunId, placement_id
from tidegate.model.lease import Lease, LogLine, StepOutcome, StepReport
from tidegate.model.run import Run
from tidegate.model.step_environment import address_of, step_environment
from tidegate.model.step_run import BUILD, STATE_OF, StepRun, StepState
from tidegate.store import events, queries, rows

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

    def lease(self, agent: str, slots_free: int, held: Sequence[Held]) -> tuple[Lease, ...]:
        """Up to `slots_free` ready steps, the longest ready first.

        A step that the server thinks this agent has, and that the agent does not name, never reached it: it is
        leased again, with a higher fence.
        """
        known = {(one.step_run, one.attempt) for one in held}
        for _ in range(ROUNDS_AT_MOST):
            with self._parts.database.reading() as connection:
                running = queries.steps_of_agent(connection, agent)
                orphaned = [one for one in running if (one.id, one.attempt) not in known]
                wanted = [*orphaned, *queries.ready_steps(connection, max(0, slots_free - len(orphaned)))]
            leases = tuple(lease for step in wanted if (lease := self._lease(agent, step)))
            if leases or not wanted:
                return leases
        return ()

    def renew(self, agent: str, held: Sequence[Held]) -> Renewal:
        """Say that these attempts go on."""
        cancel: list[StepRunId] = []
        refused: list[StepRunId] = []
        leased_until = self._parts.clock.now() + self._parts.settings.step_lease
        for one in held:
            with self._changing(one.step_run) as (connection, step, _):
                if step is None or not _holds(step, one):
                    refused.append(one.step_run)
                    continue
                rows.put(connection, replace(step, agent=agent, leased_until=leased_until))
                if step.cancel_asked:
                    cancel.append(one.step_run)
        return Renewal(tuple(cancel), tuple(refused))

    def append_log(self, held: Held, first: int, lines: Sequence[LogLine]) -> int:
        """Keep lines from index `first` on; which index is wanted next. Raises Refused for an old fence."""
        with self._parts.database.reading() as connection:
            step = queries.step(connection, held.step_run)
        if step is None:
            raise not_found("step run", held.step_run)
        if step.attempt != held.attempt or step.fence != held.fence:
            raise Refused(Refusal.CONFLICT, f"the lease of {held.step_run} is no longer yours")
        return self._logs.append(step.run, step.id, step.attempt, first, lines)

    def report(self, held: Held, report: StepReport) -> bool:
        """Take the result of an attempt; the same result again changes nothing. Raises Refused for an old fence."""
        with self._changing(held.step_run) as (connection, step, run):
            if step is None or run is None:
                raise not_found("step run", held.step_run)
            if step.attempt == held.attempt and step.fence == held.fence and step.state.is_ended:
                return True
            if not _holds(step, held):
                raise Refused(Refusal.CONFLICT, f"the lease of {held.step_run} is no longer yours")
            self._end(connection, run, step, report)
        self._engine.queue.hint(f"run:{run.id}")
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
        """Lease a step to an agent, unless it has changed since it was seen."""
        with self._changing(seen.id) as (connection, step, run):
            return self._give(connection, agent, step, run) if step == seen and run else None

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
        environment, address = self._site(connection, run, step)
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
        )

    def _site(self, connection: Connection, run: Run, step: StepRun) -> tuple[str | None, str | None]:
        if step.scope == BUILD or run.pipeline is None:
            return None, None
        environment = next(one.environment for one in run.pipeline.stages if one.name == step.scope)
        placement = queries.placement(connection, placement_id(run.service, environment))
        return environment, address_of(placement) if placement else None

    def _end(self, connection: Connection, run: Run, step: StepRun, report: StepReport) -> None:
        state = STATE_OF[report.outcome]
        ended = replace(step, state=state, report=report, ended_at=report.ended_at, leased_until=None)
        rows.put(connection, ended)
        text = f"{step.scope}: {step.name} {state.value}" + (f": {report.detail}" if report.detail else "")
        event = self._event(EventKind.STEP_ENDED, text, run, step)
        events.append(connection, [event], self._parts.clock.now())

    def _event(self, kind: EventKind, text: str, run: Run, step: StepRun) -> Event:
        about = {"service": str(run.service), "run": str(run.id), "step": str(step.name), "scope": step.scope}
        return Event(kind, text, about, data={"attempt": step.attempt})


def _is_lost(step: StepRun, now: datetime) -> bool:
    """Whether its agent is silent, and its own time has been over for long."""
    silent = step.leased_until is None or step.leased_until < now
    began = step.began_at or now
    running = step.state is StepState.RUNNING
    return running and silent and now > began + step.step.timeout + LOST_AFTER_TIMEOUT


def _holds(step: StepRun, held: Held) -> bool:
    return step.state is StepState.RUNNING and step.attempt == held.attempt and step.fence == held.fence
