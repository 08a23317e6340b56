"""Runs: lists, one in full, its events, and what people do to it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query

from tidegate.api.event_answers import EventAnswer, event_answer
from tidegate.api.fields import IDENTIFIER, AfterQuery, Body, NoFields, RunPath, ServiceQuery, StageField, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.rollout_answers import RolloutAnswer, rollout_answer
from tidegate.api.routing import noun_router
from tidegate.api.run_answers import ApprovalAnswer, RunDetail, RunItem, RunPage, run_detail, run_item
from tidegate.api.security import Approver, Developer, Operator, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.approval import Answer as Word
from tidegate.security.permission import Identity, Permission
from tidegate.store import events, queries, run_queries

router = noun_router("runs", prefix="/runs", route_class=ActRoute)

LimitQuery = Annotated[int, Query(ge=1, le=200)]
EventLimitQuery = Annotated[int, Query(ge=1, le=1000)]
BeforeQuery = Annotated[str | None, Query(pattern=IDENTIFIER, description="Older than the run with this id")]


class AnswerRequest(Body):
    """A person's word: for the stage that asks, or for the named one, also before its gate is reached."""

    stage: StageField | None = None
    comment: TextField = ""


@router.get("")
def list_runs(
    parts: Parts, _: Reader, service: ServiceQuery = None, limit: LimitQuery = 50, before: BeforeQuery = None
) -> RunPage:
    """Runs, the newest first."""
    with parts.engine.parts.database.reading() as connection:
        found = queries.newest_runs(connection, service, before.lower() if before else None, limit + 1)
    more = len(found) > limit
    return RunPage(items=[run_item(one) for one in found[:limit]], next=found[limit - 1].id if more else None)


@router.get("/{run}")
def show_run(parts: Parts, _: Reader, run: RunPath) -> RunDetail:
    """A run with its stages, steps, rollouts and approvals, and what ends its waiting."""
    with parts.engine.parts.database.reading() as connection:
        record = run_queries.record_of(connection, run.lower())
    if record is None:
        raise not_found("run", run, "tidegate runs")
    return run_detail(record, parts.engine.parts.clock.now())


@router.get("/{run}/events")
def list_events(
    parts: Parts, _: Reader, run: RunPath, after: AfterQuery = 0, limit: EventLimitQuery = 1000
) -> list[EventAnswer]:
    """A run's events, oldest first."""
    with parts.engine.parts.database.reading() as connection:
        if queries.run(connection, run.lower()) is None:
            raise not_found("run", run, "tidegate runs")
        found = events.of_run(connection, run.lower(), after, limit)
    return [event_answer(one) for one in found]


@router.post("/{run}/approve")
def approve(parts: Parts, who: Approver, run: RunPath, body: AnswerRequest | None = None) -> ApprovalAnswer:
    """Say yes where the run asks."""
    return _answer(parts, who, run, Word.APPROVED, body)


@router.post("/{run}/reject")
def reject(parts: Parts, who: Approver, run: RunPath, body: AnswerRequest | None = None) -> ApprovalAnswer:
    """Say no where the run asks."""
    return _answer(parts, who, run, Word.REJECTED, body)


@router.post("/{run}/withdraw")
def withdraw(parts: Parts, who: Approver, run: RunPath, body: AnswerRequest | None = None) -> ApprovalAnswer:
    """Take back one's own yes, as long as nothing has begun that it let in."""
    said = body or AnswerRequest()
    check = partial(parts.authority.check_stage, who, Permission.APPROVE)
    taken = parts.runs.withdraw(run.lower(), who.actor, stage=said.stage, comment=said.comment, check=check)
    return ApprovalAnswer.model_validate(taken)


@router.post("/{run}/cancel")
def cancel(parts: Parts, who: Developer, run: RunPath, body: NoFields | None = None) -> RunItem:
    """Stop the run; what moves is rolled back, not for cause."""
    parts.authority.check_run(who, Permission.DEVELOP, run.lower())
    return run_item(parts.runs.cancel(run.lower(), who.actor))


@router.post("/{run}/retry")
def retry(parts: Parts, who: Developer, run: RunPath, body: NoFields | None = None) -> RunItem:
    """Try again what did not pass."""
    parts.authority.check_run(who, Permission.DEVELOP, run.lower())
    return run_item(parts.runs.retry(run.lower(), who.actor))


@router.post("/{run}/hold")
def hold(parts: Parts, who: Developer, run: RunPath, body: NoFields | None = None) -> RunItem:
    """Let the run go no further; what it deployed is still watched."""
    parts.authority.check_run(who, Permission.DEVELOP, run.lower())
    return run_item(parts.runs.hold(run.lower(), who.actor))


@router.post("/{run}/resume")
def resume(parts: Parts, who: Developer, run: RunPath, body: NoFields | None = None) -> RunItem:
    """Let a held run go on."""
    parts.authority.check_run(who, Permission.DEVELOP, run.lower())
    return run_item(parts.runs.resume(run.lower(), who.actor))


@router.post("/{run}/promote")
def promote(parts: Parts, who: Operator, run: RunPath, body: NoFields | None = None) -> RolloutAnswer:
    """End this share now, whatever the evidence says so far."""
    parts.authority.check_run(who, Permission.OPERATE, run.lower())
    return rollout_answer(parts.runs.promote(run.lower(), who.actor))


def _answer(parts: Parts, who: Identity, run: str, word: Word, body: AnswerRequest | None) -> ApprovalAnswer:
    said = body or AnswerRequest()
    check = partial(parts.authority.check_stage, who, Permission.APPROVE)
    given = parts.runs.answer(run.lower(), word, who.actor, stage=said.stage, comment=said.comment, check=check)
    answer = ApprovalAnswer.model_validate(given)
    return answer.model_copy(update={"does_not_count": parts.runs.why_not_counted(given)})
