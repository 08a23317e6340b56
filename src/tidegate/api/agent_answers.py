"""How agents and what waits for them look in answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from tidegate.api.answers import Answer
from tidegate.engine.waiting import AgentAtWork, Queue, WaitingStep
from tidegate.model.agent import AgentState
from tidegate.model.change import Change
from tidegate.model.ids import RunId
from tidegate.model.step_queue import QueuedStep


class QueuedStepAnswer(Answer):
    """A step of a run; `scope` is `build` or the name of a stage."""

    id: str
    run: str
    service: str
    commit: str
    scope: str
    name: str


class PerformedAnswer(QueuedStepAnswer):
    """A step that an agent performs."""

    began_at: datetime | None


class WaitingAnswer(QueuedStepAnswer):
    """A step that is ready, and why no agent performs it yet."""

    ready_at: datetime
    labels: list[str]
    why: str


class AgentAnswer(Answer):
    """An agent. `own_token` says whether it has one that can be taken away, or uses the one of the data folder."""

    name: str
    state: AgentState
    labels: list[str]
    slots: int
    version: str | None
    platform: str | None = Field(description="For example linux/x86-64")
    seen_at: datetime | None
    drained_by: str | None
    own_token: bool
    performs: list[PerformedAnswer]


class QueueAnswer(Answer):
    """Agents, and the steps that are ready in the order in which they will be given; `total` counts those as well that
    are not in the list."""

    agents: list[AgentAnswer]
    waiting: list[WaitingAnswer]
    total: int


class TokenAnswer(Answer):
    """A token that nobody can ask for again."""

    agent: str
    token: str


class RemovedAnswer(Answer):
    """Who was removed, and how many steps were lost with it."""

    agent: str
    lost: int


def agent_answers(queue: Queue) -> list[AgentAnswer]:
    """The agents."""
    return [_agent(one, queue.changes) for one in queue.agents]


def queue_answer(queue: Queue) -> QueueAnswer:
    """Who performs what, and what waits."""
    return QueueAnswer(
        agents=agent_answers(queue),
        waiting=[_waiting(one, queue.changes) for one in queue.waiting],
        total=queue.total,
    )


def _agent(one: AgentAtWork, changes: Mapping[RunId, Change]) -> AgentAnswer:
    agent = one.agent
    return AgentAnswer(
        name=agent.name,
        state=one.state,
        labels=list(agent.labels),
        slots=agent.slots,
        version=agent.version,
        platform=str(agent.platform) if agent.platform else None,
        seen_at=agent.seen_at,
        drained_by=agent.drained_by,
        own_token=agent.token_hash is not None,
        performs=[PerformedAnswer(**_named(step, changes), began_at=step.began_at) for step in one.performs],
    )


def _waiting(one: WaitingStep, changes: Mapping[RunId, Change]) -> WaitingAnswer:
    step = one.step
    return WaitingAnswer(**_named(step, changes), ready_at=step.ready_at, labels=sorted(step.labels), why=one.why)


def _named(step: QueuedStep, changes: Mapping[RunId, Change]) -> dict[str, str]:
    return {
        "id": step.id,
        "run": step.run,
        "service": step.service,
        "commit": changes[step.run].commit,
        "scope": step.scope,
        "name": step.name,
    }
