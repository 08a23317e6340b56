"""Which of the steps that are ready an agent gets next, and why the others wait."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from tidegate.model.agent import Agent
from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.pipeline import Concurrency

UNKNOWN_PLATFORM = "unknown"


@dataclass(frozen=True, slots=True)
class QueuedStep:
    """A step that is ready, or that an agent performs, as far as the order depends on it."""

    id: StepRunId
    run: RunId
    service: ServiceName
    scope: str
    name: StepName
    ready_at: datetime
    labels: frozenset[str] = frozenset()
    concurrency: Concurrency | None = None
    agent: str | None = None
    began_at: datetime | None = None
    attempt: int = 1
    order: int = 0
    """How many commits the branch had at its run's change: an older change is built to its end before a newer one."""


def choose(
    ready: Iterable[QueuedStep], running: Sequence[QueuedStep], labels: Collection[str], slots: int
) -> tuple[QueuedStep, ...]:
    """The steps that an agent with these labels and free slots gets.

    The service that has the fewest steps running comes first, so that a large build keeps nobody waiting; of those
    that have as many, the one whose step is ready for longest. Of one service, the step of the oldest change. A group
    that is at its limit waits.
    """
    order = _Order.of((one for one in ready if one.labels <= set(labels)), running)
    return tuple(islice(order.steps(), slots))


def in_order(ready: Sequence[QueuedStep], running: Sequence[QueuedStep]) -> tuple[QueuedStep, ...]:
    """All that are ready, in the order in which they would be given if nothing ended meanwhile; those whose group is
    at its limit come last."""
    first = tuple(_Order.of(ready, running).steps())
    given = {one.id for one in first}
    return (*first, *sorted((one for one in ready if one.id not in given), key=_place))


def why_it_waits(step: QueuedStep, running: Sequence[QueuedStep], agents: Sequence[Agent], now: datetime) -> str:
    """What a ready step waits for, in words."""
    if step.concurrency and _is_full(step, Counter(one.concurrency.group for one in running if one.concurrency)):
        limit = step.concurrency.limit
        return f"{limit} step{'s' if limit > 1 else ''} of the group {step.concurrency.group} may run at a time"
    able = [one for one in agents if one.seen_at and step.labels <= set(one.labels)]
    here = [one for one in able if one.is_here(now)]
    if not here:
        return _nobody(step, able)
    taking = [one for one in here if one.takes_more]
    if not taking:
        return f"every agent that could run it is being drained: {', '.join(one.name for one in here)}"
    busy = Counter(one.agent for one in running)
    if all(busy[one.name] >= one.slots for one in taking):
        slots = sum(one.slots for one in taking)
        taken = f"all {slots} slots are taken" if slots > 1 else "the only slot is taken"
        return f"{taken}, of {', '.join(one.name for one in taking)}"
    return "it is given to the next agent that asks"


def platforms_for(labels: Collection[str], agents: Iterable[Agent]) -> frozenset[str]:
    """The platforms (`linux/arm64`) on which a step with these labels may run, as far as agents are known.

    An agent that was not seen for long counts as well: what it made is still kept. One that does not say what it
    runs on is a platform of its own.
    """
    able = (one for one in agents if one.seen_at and set(labels) <= set(one.labels))
    return frozenset(str(one.platform) if one.platform else UNKNOWN_PLATFORM for one in able)


@dataclass(slots=True)
class _Order:
    """Ready steps by service, each service's in its order, and how many of each service and group run."""

    waiting: dict[ServiceName, deque[QueuedStep]]
    shares: Counter[ServiceName]
    groups: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, ready: Iterable[QueuedStep], running: Iterable[QueuedStep]) -> _Order:
        waiting: dict[ServiceName, deque[QueuedStep]] = defaultdict(deque)
        for step in sorted(ready, key=_place):
            waiting[step.service].append(step)
        order = cls(waiting, Counter())
        for step in running:
            order._count(step)
        return order

    def steps(self) -> Iterator[QueuedStep]:
        """The steps as they are given, one after another, until none may be given."""
        while True:
            heads = [head for service in self.waiting if (head := self._head(service))]
            if not heads:
                return
            step = min(heads, key=lambda one: (self.shares[one.service], *_age(one)))
            self.waiting[step.service].remove(step)
            self._count(step)
            yield step

    def _head(self, service: ServiceName) -> QueuedStep | None:
        return next((one for one in self.waiting[service] if not _is_full(one, self.groups)), None)

    def _count(self, step: QueuedStep) -> None:
        self.shares[step.service] += 1
        if step.concurrency:
            self.groups[step.concurrency.group] += 1


def _nobody(step: QueuedStep, away: Sequence[Agent]) -> str:
    wanted = ", ".join(sorted(step.labels))
    words = f"no agent with {wanted} asks for work" if wanted else "no agent asks for work"
    names = ", ".join(one.name for one in away)
    return f"{words}; {names} {'are' if len(away) > 1 else 'is'} away" if away else words


def _place(step: QueuedStep) -> tuple[int, datetime, StepRunId]:
    """Among those of its service."""
    return step.order, *_age(step)


def _age(step: QueuedStep) -> tuple[datetime, StepRunId]:
    return step.ready_at, step.id


def _is_full(step: QueuedStep, groups: Counter[str]) -> bool:
    return step.concurrency is not None and groups[step.concurrency.group] >= step.concurrency.limit
