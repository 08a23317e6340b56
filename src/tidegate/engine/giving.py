"""Giving ready steps to agents: in a fair order, each to one agent at a time, never more than one has room for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine import known_tests
from tidegate.engine.parts import Parts
from tidegate.model.decision import Decision
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import StageName, StepRunId, placement_id
from tidegate.model.lease import Lease
from tidegate.model.load import LoadRule, plan_load
from tidegate.model.run import Run
from tidegate.model.run_draft import RunState
from tidegate.model.step_ahead import Promise, follower_of
from tidegate.model.step_environment import address_of, step_environment
from tidegate.model.step_queue import QueuedStep, choose
from tidegate.model.step_run import BUILD, StepRun, StepState
from tidegate.model.traffic import A_WEEK
from tidegate.store import agent_queries, events, queries, queue_queries, rows, traffic_queries
from tidegate.store.database import Database

LOOKED_AT_EACH = 20
"""Ready steps of each name of each service, or as many as there are slots: where none of so many may run, those after
them wait as well."""

ROUNDS_AT_MOST = 10
"""How often an agent to which others are ahead every time looks for steps that are left."""

ON_ITS_WAY = timedelta(seconds=5)
"""How long an answer with steps may be on its way to an agent that asks for more meanwhile."""

_TURNS = 64


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that an agent says it has."""

    step_run: StepRunId
    attempt: int
    fence: int


@dataclass(frozen=True, slots=True)
class Ask:
    """An agent has room for `slots_free` more steps besides those that it has. With `only_known` there are none for one
    that was removed."""

    agent: str
    slots_free: int
    held: Sequence[Held]
    labels: Collection[str] = ()
    only_known: bool = False
    began: Sequence[Held] | None = None
    """What it began by itself as it was promised; None from one that knows nothing of promises."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A run and its steps as a decision left them: they need not be read again."""

    run: Run
    steps: Mapping[StepRunId, StepRun]

    @classmethod
    def of(cls, state: RunState, decision: Decision) -> Saved:
        """What a decision made of the run that it looked at."""
        newest = next((one for one in decision.changes if isinstance(one, Run)), state.run)
        changed = (one for one in decision.changes if isinstance(one, StepRun))
        return cls(newest, {one.id: one for one in (*state.steps, *changed)})

    def needed_by(self, step: StepRun) -> tuple[StepRun, ...] | None:
        """The steps that one of this run needs; None for another run's."""
        if step.run != self.run.id:
            return None
        return tuple(one for one in self.steps.values() if one.scope == step.scope and one.name in step.step.needs)


class Giver:
    """Gives steps to agents. Safe to be asked by several threads."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._turns = tuple(threading.Lock() for _ in range(_TURNS))
        self._lock = threading.Lock()
        self._answered: OrderedDict[Held, datetime] = OrderedDict()  # the oldest first

    @contextmanager
    def turn_of(self, agent: str) -> Iterator[None]:
        """One ask of an agent at a time: two would both find the same room, and fill it twice."""
        with self._turns[hash(agent) % _TURNS]:
            yield

    def note_answered(self, given: Iterable[Lease | Held]) -> None:
        """These leave with the answer to a result: a request for more that was sent before that does not name them."""
        now = self.parts.clock.now()
        with self._lock:
            while self._answered and now - next(iter(self._answered.values())) >= ON_ITS_WAY:
                self._answered.popitem(last=False)
            self._answered.update((Held(one.step_run, one.attempt, one.fence), now) for one in given)

    def is_on_its_way(self, step: StepRun) -> bool:
        """Whether its agent may not have heard of it yet."""
        with self._lock:
            at = self._answered.get(Held(step.id, step.attempt, step.fence))
        return at is not None and self.parts.clock.now() - at < ON_ITS_WAY

    def give(self, agent: str, chosen: StepRunId) -> Lease | None:
        """Lease a step that was ready when it was chosen, unless somebody else has it, or its group is full by now."""
        with changing(self.parts.database, chosen) as (connection, step, run):
            return self._give_ready(connection, agent, step, run)

    def give_within(self, connection: Connection, agent: str, chosen: StepRunId, saved: Saved) -> Lease | None:
        """The same, in a transaction in which nobody else can change anything, and which `saved` these."""
        step = saved.steps.get(chosen) or queries.step(connection, chosen)
        run = saved.run if step and step.run == saved.run.id else queries.run(connection, step.run) if step else None
        return self._give_ready(connection, agent, step, run, saved)

    def give_again(self, agent: str, seen: StepRun) -> Lease | None:
        """Lease a step anew to the agent that has it and never heard of it, unless it has changed since."""
        with changing(self.parts.database, seen.id) as (connection, step, run):
            return self._give(connection, agent, step, run) if run and step and step == seen else None

    def _give_ready(
        self, connection: Connection, agent: str, step: StepRun | None, run: Run | None, saved: Saved | None = None
    ) -> Lease | None:
        if step is None or run is None or step.state is not StepState.READY or self._is_kept_out(connection, step):
            return None
        return self._give(connection, agent, step, run, saved)

    def _is_kept_out(self, connection: Connection, step: StepRun) -> bool:
        """Whether others of the step's group run that were not seen when it was chosen."""
        group = step.step.concurrency
        if group is None:
            return False
        self.parts.database.lock_service(connection, f"group:{group.group}")
        running = queue_queries.steps_under_way(connection)
        return (
            sum(one.concurrency is not None and one.concurrency.group == group.group for one in running) >= group.limit
        )

    def _give(self, connection: Connection, agent: str, step: StepRun, run: Run, saved: Saved | None = None) -> Lease:
        now = self.parts.clock.now()
        first_time = step.state is StepState.READY
        step = replace(
            step,
            state=StepState.RUNNING,
            fence=step.fence + 1,
            agent=agent,
            leased_until=now + self.parts.settings.step_lease,
            began_at=step.began_at or now,
        )
        rows.put(connection, step)
        if first_time:
            text = f"{step.scope}: {step.name} begins on {agent}"
            events.append(connection, [step_event(EventKind.STEP_BEGAN, text, run, step)], now)
        return self._lease(connection, step, run, saved)

    def promise(self, connection: Connection, after: StepRun, labels: Collection[str], saved: Saved) -> Promise | None:
        """What an agent with these labels may begin by itself once the step that it has now, of this run, succeeded."""
        follower = follower_of(after, saved.steps.values())
        if follower is None or not set(follower.step.labels) <= set(labels):
            return None
        step = replace(follower, fence=follower.fence + 1)
        return Promise(after.id, self._lease(connection, step, saved.run, saved))

    def _lease(self, connection: Connection, step: StepRun, run: Run, saved: Saved | None) -> Lease:
        assert run.pipeline is not None
        release = queries.release(connection, run.release)
        needed = saved.needed_by(step) if saved else None
        if needed is None:
            needed = queries.needed_steps(connection, step)
        environment, address = self._site(connection, run, step)
        load = step.step.load
        tests = known_tests.handed_with(connection, run, step, self.parts.clock.now())
        return Lease(
            step_run=step.id,
            attempt=step.attempt,
            fence=step.fence,
            run=run.id,
            service=run.service,
            scope=step.scope,
            step=step.step,
            source=self.parts.sources.source_of(run.service),
            commit=run.change.commit,
            path=run.pipeline.path,
            setup=run.pipeline.build.setup,
            env=step_environment(run, step, environment, address),
            artifacts={one.file: one.digest for one in release.artifacts} if release else {},
            outputs=tuple(one.report.outputs for one in needed if one.report and one.report.outputs),
            failed_tests=tests.failed,
            watched_tests=tests.watched,
            excused_tests=tests.excused,
            load=plan_load(load, address, self._busiest(connection, run, load)) if load and address else None,
        )

    def _busiest(self, connection: Connection, run: Run, load: LoadRule) -> int | None:
        begin = self.parts.clock.now() - A_WEEK
        return traffic_queries.busiest_minute(connection, placement_id(run.service, load.of), begin)

    def _site(self, connection: Connection, run: Run, step: StepRun) -> tuple[str | None, str | None]:
        if step.scope == BUILD or run.pipeline is None:
            return None, None
        environment = run.pipeline.stage(StageName(step.scope)).environment
        placement = queries.placement(connection, placement_id(run.service, environment))
        return environment, address_of(placement) if placement else None


class Poll:
    """One request of an agent for steps, which may be looked at again as long as the agent waits for the answer.

    What the server thinks the agent has, and the agent does not name, never reached it, and is leased again with a
    higher fence. That is found out when the request arrives and not later: by then the agent may have got steps with
    the answer to a result. `with_result` is for what is asked along with one: nothing is found out by it.
    """

    def __init__(self, giver: Giver, ask: Ask, *, with_result: bool = False) -> None:
        self._giver = giver
        self._ask = ask
        self._named = {(one.step_run, one.attempt) for one in ask.held}
        self._with_result = with_result
        self._finds_unheard = not with_result
        self._room: int | None = None
        self._leaves_none = False
        self.is_uncertain = False
        """Whether there is something that is perhaps still on its way to the agent: it should soon ask anew."""

    def look(self) -> tuple[Lease, ...]:
        """What there is for the agent now: none for one that is being drained."""
        agent, giver = self._ask.agent, self._giver
        with giver.turn_of(agent):
            for _ in range(ROUNDS_AT_MOST):
                with giver.parts.database.reading() as connection:
                    unheard, chosen = self._choose(connection)
                given = [giver.give_again(agent, one) for one in unheard]
                given += [giver.give(agent, one.id) for one in chosen]
                leases = tuple(filter(None, given))
                if leases or not given:
                    break
            self._finds_unheard = False
            if self._with_result:
                giver.note_answered(leases)
        return leases

    def look_within(self, connection: Connection, saved: Saved) -> tuple[Lease, ...]:
        """The same with a result, in a transaction in which nobody else can change anything. It is the agent's turn:
        who asks has seen to that before the transaction, and notes what was answered."""
        _, chosen = self._choose(connection)
        given = (self._giver.give_within(connection, self._ask.agent, one.id, saved) for one in chosen)
        return tuple(filter(None, given))

    def confirm_within(self, connection: Connection, saved: Saved | None) -> tuple[Held, ...]:
        """Lease to the agent what it began as it was promised, where the run still wants that; gives what it has by
        now. In the transaction that makes these steps ready, or nobody knows who has them. `saved` is None where the
        result was known already: the agent may have them since then."""
        return tuple(one for one in self._ask.began or () if self._confirm(connection, one, saved))

    def promises(self, connection: Connection, given: Iterable[StepRunId], saved: Saved) -> tuple[Promise, ...]:
        """What the agent may begin by itself after these, which it was given: nothing while anybody else waits."""
        if self._ask.began is None or not self._leaves_none:
            return ()
        steps = (saved.steps[one] for one in given if one in saved.steps)
        found = (self._giver.promise(connection, one, self._ask.labels, saved) for one in steps)
        return tuple(filter(None, found))

    def _confirm(self, connection: Connection, began: Held, saved: Saved | None) -> bool:
        step = saved.steps.get(began.step_run) if saved else queries.step(connection, began.step_run)
        if step is None or step.attempt != began.attempt:
            return False
        if step.fence == began.fence:  # it has it since then, or had it: what followed it is told with its own result
            return step.agent == self._ask.agent
        is_so = step.fence + 1 == began.fence and step.step.concurrency is None and step.files is None
        if saved is None or not is_so or not set(step.step.labels) <= set(self._ask.labels):
            return False
        return self._giver.give_within(connection, self._ask.agent, step.id, saved) is not None

    def _choose(self, connection: Connection) -> tuple[Sequence[StepRun], Sequence[QueuedStep]]:
        """What the agent has and never heard of, and what it may have besides."""
        ask = self._ask
        seen = agent_queries.agent(connection, ask.agent)
        if seen is None and ask.only_known:
            return (), ()
        running = queue_queries.steps_under_way(connection)
        own = [one for one in running if one.agent == ask.agent]
        takes_more = seen is None or seen.takes_more
        slots = self._slots(connection, own) if takes_more else 0
        unheard = self._unheard(connection) if self._finds_unheard else []
        if not slots and ask.began is None:
            return unheard, ()
        ready = queue_queries.ready_steps(connection, max(slots, LOOKED_AT_EACH))
        able = [one for one in ready if one.labels <= set(ask.labels)]
        chosen = choose(able, running, ask.labels, slots) if able else ()
        self._leaves_none = takes_more and len(chosen) == len(able)
        return unheard, chosen

    def _slots(self, connection: Connection, running: Sequence[QueuedStep]) -> int:
        """How many slots are free by now: the agent counted when it asked, and what was given to it since fills some.

        One fills as well what it has and the server gave up: that is not among `running`.
        """
        if self._room is None:
            run = {(one.id, one.attempt) for one in running}
            counted = [one for one in self._ask.held if (one.step_run, one.attempt) in run or _is_over(connection, one)]
            self._room = self._ask.slots_free + len(counted)
        return max(0, min(self._ask.slots_free, self._room - len(running)))

    def _unheard(self, connection: Connection) -> list[StepRun]:
        running = queries.steps_of_agent(connection, self._ask.agent)
        unnamed = [one for one in running if (one.id, one.attempt) not in self._named]
        unheard = [one for one in unnamed if not self._giver.is_on_its_way(one)]
        self.is_uncertain = len(unheard) < len(unnamed)
        return unheard


def _is_over(connection: Connection, held: Held) -> bool:
    """Whether the attempt's result came while the request that names it was on its way."""
    step = queries.step(connection, held.step_run)
    return step is not None and step.state.is_ended and (step.attempt, step.fence) == (held.attempt, held.fence)


@contextmanager
def changing(database: Database, step_run: StepRunId) -> Iterator[tuple[Connection, StepRun | None, Run | None]]:
    """A step run and its run, which nobody else changes before the transaction ends."""
    with database.writing() as connection:
        step, run = queries.step_and_run(connection, step_run)
        if run and database.lock_service(connection, run.service):
            step, run = queries.step_and_run(connection, step_run)
        yield connection, step, run


def step_event(kind: EventKind, text: str, run: Run, step: StepRun) -> Event:
    """Something that happened to a step."""
    about = {"service": str(run.service), "run": str(run.id), "step": str(step.name), "scope": step.scope}
    return Event(kind, text, about, data={"attempt": step.attempt})
