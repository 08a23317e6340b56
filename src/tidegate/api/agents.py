"""What agents ask. Long polls wait on a wake-up, so that they hold no thread.

Fields that this version does not know are left alone here: an agent may be one minor release newer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from tidegate.api.answers import Answer
from tidegate.api.fields import IdentifierPath
from tidegate.api.git import source_through_server
from tidegate.api.idempotency import ActRoute
from tidegate.api.security import Agent, Parts, check_speaks_for
from tidegate.engine.agents import Said
from tidegate.engine.leasing import Held
from tidegate.model.agent import Platform
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, LogLine, StepReport
from tidegate.security.permission import Identity

router = APIRouter(tags=["agents"], route_class=ActRoute)

LONG_POLL_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 5.0
"""Steps are looked for this often even where nobody said that there are some."""

MOST_SLOTS = 1000

AgentPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$")]
Attempt = Annotated[int, Field(ge=1)]
Fence = Annotated[int, Field(ge=0)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class AgentsBody(BaseModel):
    """What an agent sends."""

    model_config = ConfigDict(extra="ignore", str_max_length=1024 * 1024)


class HeldBody(AgentsBody):
    """An attempt that the agent has, under its lease's fence."""

    step_run: Annotated[str, Field(min_length=1, max_length=100)]
    attempt: Attempt
    fence: Fence


class PlatformBody(AgentsBody):
    """What the agent's machine is; both words are labels of it."""

    os: Word
    processor: Word


class RenewRequest(AgentsBody):
    """What the agent still performs."""

    held: Annotated[list[HeldBody], Field(max_length=MOST_SLOTS, default_factory=list)]


class LeaseRequest(RenewRequest):
    """For how many more steps the agent has room, and what it says of itself.

    `slots` is how many it performs at most at a time, `instance` tells it from others of its name, `draining` says
    that it takes no more. Agents of the first release say nothing of themselves.
    """

    slots_free: Annotated[int, Field(ge=0, le=MOST_SLOTS)]
    slots: Annotated[int, Field(ge=0, le=MOST_SLOTS)] | None = None
    labels: Annotated[list[Word], Field(max_length=100, default_factory=list)]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9][0-9A-Za-z.+-]{0,49}$")] | None = None
    platform: PlatformBody | None = None
    instance: Word | None = None
    draining: bool = False


class LogRequest(AgentsBody):
    """Lines of an attempt's log; `first` is the index of the first of them."""

    attempt: Attempt
    fence: Fence
    first: Annotated[int, Field(ge=0)]
    lines: Annotated[list[LogLine], Field(max_length=10_000)]


class ResultRequest(AgentsBody):
    """How an attempt ended."""

    attempt: Attempt
    fence: Fence
    report: StepReport


class RenewAnswer(Answer):
    """What to end: because somebody asked, and because it is no longer the agent's."""

    cancel: list[str]
    refused: list[str]


class NextLineAnswer(Answer):
    """The index of the line that is wanted next."""

    next: int


class AcceptedAnswer(Answer):
    """Whether the result was taken; the same result again is, too."""

    accepted: bool


@router.post("/agents/{name}/lease")
async def lease(parts: Parts, who: Agent, name: AgentPath, body: LeaseRequest, request: Request) -> list[Lease]:
    """Work for the agent; waits up to 20 seconds until there is some."""
    check_speaks_for(who, name)
    said, held = _said(body), _held(body.held)
    own = who.agent is not None

    def ask(*, first: bool) -> Sequence[Lease]:
        if first:
            parts.agents.greet(name, said, must_be_known=own)
        return parts.leasing.lease(name, body.slots_free, held, said.all_labels, only_known=True)

    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + LONG_POLL_SECONDS
    is_first = True
    while True:
        count = parts.steps_ready.count
        leases = await run_in_threadpool(ask, first=is_first)
        is_first = False
        left = give_up_at - loop.time()
        if leases or left <= 0 or not body.slots_free:
            return _with_sources(leases, who)
        await parts.steps_ready.higher_than(count, min(left, LOOK_AGAIN_SECONDS))
        if await request.is_disconnected():
            return []


@router.post("/agents/{name}/renew")
def renew(parts: Parts, who: Agent, name: AgentPath, body: RenewRequest) -> RenewAnswer:
    """Say that these attempts go on; hear which are to end."""
    check_speaks_for(who, name)
    parts.agents.note_seen(name)
    renewal = parts.leasing.renew(name, _held(body.held), only_own=who.agent is not None)
    return RenewAnswer(cancel=list(renewal.cancel), refused=list(renewal.refused))


@router.post("/steps/{step_run}/log")
def append_log(parts: Parts, who: Agent, step_run: IdentifierPath, body: LogRequest) -> NextLineAnswer:
    """Keep lines of an attempt's log; lines that are here already are kept once."""
    held = Held(StepRunId(step_run), body.attempt, body.fence)
    return NextLineAnswer(next=parts.leasing.append_log(held, body.first, body.lines, who.agent))


@router.post("/steps/{step_run}/result")
def report(parts: Parts, who: Agent, step_run: IdentifierPath, body: ResultRequest) -> AcceptedAnswer:
    """Take the result of an attempt."""
    held = Held(StepRunId(step_run), body.attempt, body.fence)
    return AcceptedAnswer(accepted=parts.leasing.report(held, body.report, who.agent))


def _said(body: LeaseRequest) -> Said:
    return Said(
        labels=tuple(sorted(set(body.labels))),
        slots=body.slots_free + len(body.held) if body.slots is None else body.slots,
        version=body.version,
        platform=Platform(body.platform.os, body.platform.processor) if body.platform else None,
        instance=body.instance,
        leaving=body.draining,
    )


def _with_sources(leases: Sequence[Lease], who: Identity) -> list[Lease]:
    """The local agent reads the mirrors' folder; others read them through the server."""
    if who.agent is None:
        return list(leases)
    return [replace(one, source=source_through_server(one.service)) for one in leases]


def _held(named: list[HeldBody]) -> list[Held]:
    return [Held(StepRunId(one.step_run), one.attempt, one.fence) for one in named]
