"""The questions that a run's gates put outside: which there were, and asking again."""

from __future__ import annotations

from datetime import datetime

from tidegate.api.answers import Answer
from tidegate.api.fields import Body, RunPath, StageField
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Developer, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.ask_outside import whom
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.security.permission import Permission
from tidegate.store import queries, time_queries

router = noun_router("runs", prefix="/runs/{run}/questions", route_class=ActRoute)


class AskRequest(Body):
    """The stage, where not the one that waits for an answer."""

    stage: StageField | None = None


class ExternalQuestionAnswer(Answer):
    """A question that a gate put outside. `host` is who was asked, `sent` how often; `detail` says why it was not
    taken so far."""

    id: str
    run: str
    stage: str
    environment: str
    release: str
    host: str
    state: QuestionState
    asked_at: datetime
    expires_at: datetime
    sent: int
    detail: str
    answered_at: datetime | None
    reason: str


@router.get("")
def list_questions(parts: Parts, _: Reader, run: RunPath) -> list[ExternalQuestionAnswer]:
    """What the run's gates asked outside, in the order in which they did."""
    with parts.engine.parts.database.reading() as connection:
        if queries.run(connection, run.lower()) is None:
            raise not_found("run", run, "tidegate runs")
        found = time_queries.questions_of_run(connection, run.lower())
    return [_answer(one) for one in found]


@router.post("", status_code=201)
def ask_again(
    parts: Parts, who: Developer, run: RunPath, body: AskRequest | None = None
) -> list[ExternalQuestionAnswer]:
    """Ask again what nobody answered, with a new question."""
    parts.authority.check_run(who, Permission.DEVELOP, run.lower())
    asked = parts.questions.ask_again(run.lower(), who.actor, stage=body.stage if body else None)
    return [_answer(one) for one in asked]


def _answer(question: ExternalQuestion) -> ExternalQuestionAnswer:
    told = {name: getattr(question, name) for name in ExternalQuestionAnswer.model_fields if hasattr(question, name)}
    return ExternalQuestionAnswer.model_validate({**told, "host": whom(question)})
