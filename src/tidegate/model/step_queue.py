"""Which of the steps that are ready an agent gets next, and why the others wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.pipeline import Concurrency
from tidegate.model.step_run import StepRun


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

    @classmethod
    def of(cls, step: StepRun, service: ServiceName) -> QueuedStep:
        """A step run of a service."""
        assert step.ready_at is not None
        return cls(
            id=step.id,
            run=step.run,
            service=service,
            scope=step.scope,
            name=step.name,
            ready_at=step.ready_at,
            labels=frozenset(step.step.labels),
            concurrency=step.step.concurrency,
            agent=step.agent,
        )


@dataclass(frozen=True, slots=True)
class SeenAgent:
    """An agent that asked for work lately: what it can do, how much at a time, and whether it takes more."""

    name: str
    labels: frozenset[str]
    slots: int
    draining: bool = False


def choose(
    ready: Iterable[QueuedStep], running: Sequence[QueuedStep], labels: Collection[str], slots: int
) -> tuple[QueuedStep, ...]:
    """The steps that an agent with these labels and free slots gets.

    The service that has the fewest steps running comes first, so that a large build keeps nobody waiting; of one
    service, the step that is ready for longest. A group that is at its limit waits.
    """
    shares = Counter(one.service for one in running)
    groups = Counter(one.concurrency.group for one in running if one.concurrency)
    waiting = sorted((one for one in ready if one.labels <= set(labels)), key=lambda one: (one.ready_at, one.id))
    chosen: list[QueuedStep] = []
    while len(chosen) < slots:
        free = [one for one in waiting if not _is_full(one, groups)]
        if not free:
            break
        step = min(free, key=lambda one: (shares[one.service], one.ready_at, one.id))
        waiting.remove(step)
        chosen.append(step)
        shares[step.service] += 1
        if step.concurrency:
            groups[step.concurrency.group] += 1
    return tuple(chosen)


def why_it_waits(step: QueuedStep, running: Sequence[QueuedStep], agents: Sequence[SeenAgent]) -> str:
    """What a ready step waits for, in words."""
    if step.concurrency and _is_full(step, Counter(one.concurrency.group for one in running if one.concurrency)):
        limit = step.concurrency.limit
        return f"{limit} step{'s' if limit > 1 else ''} of the group {step.concurrency.group} may run at a time"
    able = [one for one in agents if step.labels <= one.labels]
    if not able:
        wanted = ", ".join(sorted(step.labels))
        return f"no agent with {wanted} asks for work" if wanted else "no agent asks for work"
    taking = [one for one in able if not one.draining]
    if not taking:
        return f"every agent that could run it is being drained: {', '.join(one.name for one in able)}"
    busy = Counter(one.agent for one in running)
    if all(busy[one.name] >= one.slots for one in taking):
        return f"all {sum(one.slots for one in taking)} slots are taken, of {', '.join(one.name for one in taking)}"
    return "it is given to the next agent that asks"


def _is_full(step: QueuedStep, groups: Counter[str]) -> bool:
    return step.concurrency is not None and groups[step.concurrency.group] >= step.concurrency.limit
