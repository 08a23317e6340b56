"""Where an answer from outside comes in: not with a token, but signed with the secret that both sides know."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from starlette.concurrency import run_in_threadpool

from tidegate.api.answers import Answer
from tidegate.api.fields import IDENTIFIER
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import name_of
from tidegate.api.security import parts_of
from tidegate.engine.asking import NotSigned
from tidegate.model.external import QuestionState
from tidegate.security.signature import HEADER

router = APIRouter(prefix="/hooks", tags=["hooks"], generate_unique_id_function=name_of)

_PROOF = f"sign the body: {HEADER}: t=SECONDS,v1=HMAC-SHA-256 of SECONDS.BODY; send the question's nonce in it"


class QuestionAnswer(Answer):
    """A question of a gate, and what was answered."""

    id: str
    run: str
    stage: str
    state: QuestionState
    reason: str


@router.post("/gate/{question}")
async def answer_gate(
    request: Request,
    question: Annotated[str, Path(pattern=IDENTIFIER, description="The question's id")],
    signature: Annotated[str, Header(alias=HEADER, max_length=200)] = "",
) -> QuestionAnswer:
    """Take the answer to a gate's question: `{"nonce": …, "answer": "approved" or "rejected", "reason": …}`.

    Whose signature does not fit is told no more, also whether there is such a question.
    """
    body = await request.body()
    try:
        taken = await run_in_threadpool(parts_of(request).asker.take, question, signature, body)
    except NotSigned:
        detail = "the signature does not prove that this answer comes from whom was asked"
        raise ProblemRaised(HTTPStatus.UNAUTHORIZED, detail, _PROOF) from None
    parts_of(request).events.wake()
    return QuestionAnswer.model_validate(taken)
