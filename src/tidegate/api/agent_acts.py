"""What people ask about agents, and do to them; and the queue of what waits for an agent."""

from __future__ import annotations

from tidegate.api.agent_answers import (
    AgentAnswer,
    QueueAnswer,
    RemovedAnswer,
    TokenAnswer,
    agent_answers,
    queue_answer,
)
from tidegate.api.agents import AgentPath
from tidegate.api.idempotency import ActRoute
from tidegate.api.parts import ApiParts
from tidegate.api.routing import noun_router
from tidegate.api.security import Administrator, Operator, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.engine.waiting import read_agents, read_queue
from tidegate.security.permission import Permission

router = noun_router("agents", route_class=ActRoute)
tokens = noun_router("agents")
"""Apart from the acts, whose answers are kept for whoever asks again: a token is not."""


@router.get("/queue")
def show_queue(parts: Parts, _: Reader) -> QueueAnswer:
    """Who performs what, and what waits for whom and why."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        return queue_answer(read_queue(connection, engine.clock.now()))


@router.get("/agents")
def list_agents(parts: Parts, _: Reader) -> list[AgentAnswer]:
    """All known agents, by name, and what each performs."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        return agent_answers(read_agents(connection, engine.clock.now()))


@tokens.post("/agents/{name}/token", status_code=201)
def new_token(parts: Parts, who: Administrator, name: AgentPath) -> TokenAnswer:
    """Make a token for an agent, in place of the one that it had. It is shown this once."""
    parts.authority.check(who, Permission.ADMINISTER)
    token = parts.agents.give_token(name, who.actor)
    parts.events.wake()
    return TokenAnswer(agent=name, token=token)


@router.post("/agents/{name}/drain")
def drain_agent(parts: Parts, who: Operator, name: AgentPath) -> AgentAnswer:
    """Give an agent no more steps; what it performs goes on."""
    parts.authority.check(who, Permission.OPERATE)
    parts.agents.drain(name, who.actor)
    return _shown(parts, name)


@router.post("/agents/{name}/resume")
def resume_agent(parts: Parts, who: Operator, name: AgentPath) -> AgentAnswer:
    """Give a drained agent steps again."""
    parts.authority.check(who, Permission.OPERATE)
    parts.agents.resume(name, who.actor)
    return _shown(parts, name)


@router.delete("/agents/{name}")
def remove_agent(parts: Parts, who: Administrator, name: AgentPath) -> RemovedAnswer:
    """Forget an agent: its token opens nothing any more, and what it performs is lost."""
    parts.authority.check(who, Permission.ADMINISTER)
    return RemovedAnswer(agent=name, lost=parts.agents.remove(name, who.actor))


def _shown(parts: ApiParts, name: str) -> AgentAnswer:
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        shown = agent_answers(read_agents(connection, engine.clock.now()))
    found = next((one for one in shown if one.name == name), None)
    if found is None:
        raise not_found("agent", name, "tidegate agents list")
    return found
