"""What agents ask. Long polls wait on a wake-up, so that they hold no thread.

Fields that this version does not know are left alone here: an agent may be one minor release newer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from tidegate.api.answers import Answer
from tidegate.api.fields import IDENTIFIER, MOST_ATTEMPTS, MOST_LINES, IdentifierPath
from tidegate.api.git import source_through_server
from tidegate.api.idempotency import ActRoute
from tidegate.api.parts import ApiParts
from tidegate.api.results import ResultRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Agent, Parts, check_speaks_for
from tidegate.api.step_reports import Report
from tidegate.engine.agents import Said
from tidegate.engine.giving import ON_ITS_WAY, Ask, Held
from tidegate.engine.refusal import Refused
from tidegate.model.agent import Platform
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, LogLine
from tidegate.model.step_ahead import Promise
from tidegate.security.permission import Identity

router = noun_router("agents", route_class=ActRoute)

LONG_POLL_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 5.0
"""Steps are looked for this often even where nobody said that there are some."""

MOST_SLOTS = 1000

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$"
AgentPath = Annotated[str, Path(pattern=_NAME)]
AgentName = Annotated[str, StringConstraints(pattern=_NAME)]
Attempt = Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)]
Fence = Annotated[int, Field(ge=0, le=MOST_ATTEMPTS)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class AgentsBody(BaseModel):
    """What an agent sends."""

    model_config = ConfigDict(extra="ignore", str_max_length=1024 * 1024)


class HeldBody(AgentsBody):
    """An attempt that the agent has, under its lease's fence."""

    step_run: Annotated[str, StringConstraints(pattern=IDENTIFIER)]
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
    first: Annotated[int, Field(ge=0, le=MOST_LINES)]
    lines: Annotated[list[LogLine], Field(max_length=10_000)]


class ResultRequest(AgentsBody):
    """How an attempt ended.

    With its name in `agent` and in `next` what it says when it asks for work, the agent gets the next steps with the
    answer. The attempt that has ended is not among those that it has by then.
    """

    attempt: Attempt
    fence: Fence
    report: Report
    agent: AgentName | None = None
    next: LeaseRequest | None = None
    began: Annotated[list[HeldBody], Field(max_length=MOST_SLOTS)] | None = None
    """What the agent began by itself, as an answer before had promised; null from one that knows of no promises."""


class RenewAnswer(Answer):
    """What to end: because somebody asked, and because it is no longer the agent's."""

    cancel: list[str]
    refused: list[str]


class NextLineAnswer(Answer):
    """The index of the line that is wanted next."""

    next: int


class HeldAnswer(Answer):
    """An attempt that the agent has, under its lease's fence."""

    step_run: str
    attempt: int
    fence: int


class AcceptedAnswer(Answer):
    """Whether the result was taken; the same result again is, too. The rest is there where the agent asked for more:
    what it gets, what of that which it began by itself is its own, and what it may begin by itself after these."""

    accepted: bool
    leases: list[Lease] = Field(default_factory=list)
    began: list[HeldAnswer] = Field(default_factory=list)
    promises: list[Promise] = Field(default_factory=list)


@router.post("/agents/{name}/lease")
async def lease(parts: Parts, who: Agent, name: AgentPath, body: LeaseRequest, request: Request) -> list[Lease]:
    """Work for the agent; waits up to 20 seconds until there is some."""
    check_speaks_for(who, name)
    poll = parts.leasing.poll(_ask(name, body))

    def greet_and_look() -> Sequence[Lease]:
        parts.agents.greet(name, _said(body), must_be_known=who.agent is not None)
        return poll.look()

    count = parts.steps_ready.count
    leases = await run_in_threadpool(greet_and_look)
    now = asyncio.get_running_loop().time
    give_up_at = now() + (ON_ITS_WAY.total_seconds() if poll.is_uncertain else LONG_POLL_SECONDS)
    while not leases and body.slots_free and (left := give_up_at - now()) > 0:
        await parts.steps_ready.higher_than(count, min(left, LOOK_AGAIN_SECONDS))
        if await request.is_disconnected():
            return []
        count = parts.steps_ready.count
        leases = await run_in_threadpool(poll.look)
    return _with_sources(leases, who)


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


def report(parts: Parts, who: Agent, step_run: IdentifierPath, body: ResultRequest) -> Response:
    """Take the result of an attempt, and give the agent the next steps where it asks for them."""
    held = Held(StepRunId(step_run), body.attempt, body.fence)
    if body.agent is None or body.next is None:
        return _ready(AcceptedAnswer(accepted=parts.leasing.report(held, body.report, who.agent)))
    check_speaks_for(who, body.agent)
    if not _may_ask(parts, who, body.agent, body.next):
        return _ready(AcceptedAnswer(accepted=parts.leasing.report(held, body.report, who.agent), leases=[]))
    ask = replace(_ask(body.agent, body.next), began=None if body.began is None else _held(body.began))
    following = parts.leasing.report_and_ask(held, body.report, ask, who.agent)
    promised = _with_sources([one.lease for one in following.promises], who)
    return _ready(
        AcceptedAnswer(
            accepted=True,
            leases=_with_sources(following.leases, who),
            began=[HeldAnswer.model_validate(one) for one in following.began],
            promises=[replace(one, lease=lease) for one, lease in zip(following.promises, promised, strict=True)],
        )
    )


router.add_api_route(
    "/steps/{step_run}/result",
    report,
    methods=["POST"],
    response_model=AcceptedAnswer,
    route_class_override=ResultRoute,
)


def _may_ask(parts: ApiParts, who: Identity, name: str, body: LeaseRequest) -> bool:
    """Whether the agent gets work. Why it gets none it hears when it asks for that alone: its result is taken."""
    try:
        parts.agents.greet(name, _said(body), must_be_known=who.agent is not None)
    except Refused:
        return False
    return True


def _ready(answer: Answer) -> Response:
    """An answer as it is sent: it is of our own making and needs no second look."""
    return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")


def _ask(name: str, body: LeaseRequest) -> Ask:
    return Ask(name, body.slots_free, _held(body.held), _said(body).all_labels, only_known=True)


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
