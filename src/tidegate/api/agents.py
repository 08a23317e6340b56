"""What agents ask. Long polls wait on a wake-up, so that they hold no thread."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from tidegate.api.answers import Answer
from tidegate.api.fields import Body, IdentifierPath
from tidegate.api.idempotency import ActRoute
from tidegate.api.security import Agent, Parts
from tidegate.engine.leasing import Held
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, LogLine, StepReport

router = APIRouter(tags=["agents"], route_class=ActRoute)

LONG_POLL_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 5.0
"""Steps are looked for this often even where nobody said that there are some."""

AgentPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$")]
Attempt = Annotated[int, Field(ge=1)]
Fence = Annotated[int, Field(ge=0)]


class HeldBody(Body):
    """An attempt that the agent has, under its lease's fence."""

    step_run: Annotated[str, Field(min_length=1, max_length=100)]
    attempt: Attempt
    fence: Fence


class RenewRequest(Body):
    """What the agent still performs."""

    held: Annotated[list[HeldBody], Field(max_length=1000, default_factory=list)]


class LeaseRequest(RenewRequest):
    """For how many more steps the agent has room."""

    slots_free: Annotated[int, Field(ge=0, le=100)]


class LogRequest(Body):
    """Lines of an attempt's log; `first` is the index of the first of them."""

    attempt: Attempt
    fence: Fence
    first: Annotated[int, Field(ge=0)]
    lines: Annotated[list[LogLine], Field(max_length=10_000)]


class ResultRequest(Body):
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
async def lease(parts: Parts, _: Agent, name: AgentPath, body: LeaseRequest, request: Request) -> list[Lease]:
    """Work for the agent; waits up to 20 seconds until there is some."""
    held = _held(body.held)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + LONG_POLL_SECONDS
    while True:
        count = parts.steps_ready.count
        leases = await run_in_threadpool(parts.leasing.lease, name, body.slots_free, held)
        left = give_up_at - loop.time()
        if leases or left <= 0 or not body.slots_free:
            return list(leases)
        await parts.steps_ready.higher_than(count, min(left, LOOK_AGAIN_SECONDS))
        if await request.is_disconnected():
            return []


@router.post("/agents/{name}/renew")
def renew(parts: Parts, _: Agent, name: AgentPath, body: RenewRequest) -> RenewAnswer:
    """Say that these attempts go on; hear which are to end."""
    renewal = parts.leasing.renew(name, _held(body.held))
    return RenewAnswer(cancel=list(renewal.cancel), refused=list(renewal.refused))


@router.post("/steps/{step_run}/log")
def append_log(parts: Parts, _: Agent, step_run: IdentifierPath, body: LogRequest) -> NextLineAnswer:
    """Keep lines of an attempt's log; lines that are here already are kept once."""
    held = Held(StepRunId(step_run), body.attempt, body.fence)
    return NextLineAnswer(next=parts.leasing.append_log(held, body.first, body.lines))


@router.post("/steps/{step_run}/result")
def report(parts: Parts, _: Agent, step_run: IdentifierPath, body: ResultRequest) -> AcceptedAnswer:
    """Take the result of an attempt."""
    held = Held(StepRunId(step_run), body.attempt, body.fence)
    return AcceptedAnswer(accepted=parts.leasing.report(held, body.report))


def _held(named: list[HeldBody]) -> list[Held]:
    return [Held(StepRunId(one.step_run), one.attempt, one.fence) for one in named]
