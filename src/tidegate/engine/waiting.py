"""Who performs what, and what waits for what: read at one moment, for answers and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from tidegate.model.agent import Agent, AgentState
from tidegate.model.change import Change
from tidegate.model.ids import RunId
from tidegate.model.step_queue import QueuedStep, in_order, why_it_waits
from tidegate.model.step_run import StepState
from tidegate.store import agent_queries, count_queries, queue_queries

SHOWN = 200
"""Of what waits; there may be thousands."""


@dataclass(frozen=True, slots=True)
class AgentAtWork:
    """An agent and what it performs."""

    agent: Agent
    state: AgentState
    performs: tuple[QueuedStep, ...]


@dataclass(frozen=True, slots=True)
class WaitingStep:
    """A step that is ready, and why nobody performs it yet."""

    step: QueuedStep
    why: str


@dataclass(frozen=True, slots=True)
class Queue:
    """Agents by name, and the steps that are ready in the order in which they will be given; `total` counts all.

    `changes` are those of the runs that are named.
    """

    agents: tuple[AgentAtWork, ...]
    waiting: tuple[WaitingStep, ...]
    total: int
    changes: Mapping[RunId, Change]


def read_agents(connection: Connection, now: datetime) -> Queue:
    """What agents do, without what waits."""
    agents, running = agent_queries.agents(connection), queue_queries.steps_under_way(connection)
    changes = queue_queries.changes(connection, {one.run for one in running})
    return Queue(_at_work(agents, running, now), (), 0, changes)


def read_queue(connection: Connection, now: datetime) -> Queue:
    """What happens and what waits."""
    agents, running = agent_queries.agents(connection), queue_queries.steps_under_way(connection)
    ready = in_order(queue_queries.ready_steps(connection, SHOWN), running)[:SHOWN]
    return Queue(
        agents=_at_work(agents, running, now),
        waiting=tuple(WaitingStep(one, why_it_waits(one, running, agents, now)) for one in ready),
        total=count_queries.steps_by_state(connection, (StepState.READY,))[StepState.READY],
        changes=queue_queries.changes(connection, {one.run for one in (*running, *ready)}),
    )


def _at_work(agents: tuple[Agent, ...], running: tuple[QueuedStep, ...], now: datetime) -> tuple[AgentAtWork, ...]:
    by_age = sorted(running, key=lambda one: (one.began_at or now, one.id))
    found = []
    for agent in agents:
        performs = tuple(one for one in by_age if one.agent == agent.name)
        found.append(AgentAtWork(agent, agent.state(len(performs), now), performs))
    return tuple(found)
