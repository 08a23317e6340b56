"""The queue's page: what each agent performs, and what waits for which agent and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.engine.waiting import AgentAtWork, Queue
from tidegate.model.step_queue import QueuedStep
from tidegate.web.wording import Badge, Moment, badge, moment, span


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step that is performed, or waits; `since` is how long already, `why` what a waiting one waits for."""

    service: str
    run: str
    label: str
    subject: str
    scope: str
    name: str
    since: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class AgentLine:
    """An agent: how it stands, what it is, and what it performs."""

    name: str
    state: Badge
    load: str
    labels: tuple[str, ...]
    version: str
    seen: Moment | None
    drained_by: str | None
    steps: tuple[StepLine, ...]


@dataclass(frozen=True, slots=True)
class QueueView:
    """The page; `more` steps wait besides those that are shown."""

    agents: tuple[AgentLine, ...]
    waiting: tuple[StepLine, ...]
    more: int


def queue_view(queue: Queue, now: datetime) -> QueueView:
    """The page, from what was read."""
    waiting = tuple(_line(queue, one.step, one.step.ready_at, now, one.why) for one in queue.waiting)
    return QueueView(
        agents=tuple(_agent(queue, one, now) for one in queue.agents),
        waiting=waiting,
        more=max(0, queue.total - len(waiting)),
    )


def _agent(queue: Queue, one: AgentAtWork, now: datetime) -> AgentLine:
    agent = one.agent
    return AgentLine(
        name=agent.name,
        state=badge(one.state),
        load=f"{len(one.performs)} of {agent.slots}",
        labels=agent.labels,
        version=agent.version or "",
        seen=moment(agent.seen_at, now),
        drained_by=agent.drained_by,
        steps=tuple(_line(queue, step, step.began_at, now) for step in one.performs),
    )


def _line(queue: Queue, step: QueuedStep, since: datetime | None, now: datetime, why: str = "") -> StepLine:
    change = queue.changes[step.run]
    return StepLine(
        service=step.service,
        run=step.run,
        label=change.commit[:8],
        subject=change.subject,
        scope=step.scope,
        name=step.name,
        since=span(since, None, now),
        why=why,
    )
