"""Codes with which a browser signs in."""

from __future__ import annotations

from fastapi import Request

from tidegate.api.answers import Answer
from tidegate.api.routing import noun_router
from tidegate.api.security import Browser, Parts
from tidegate.security.sign_in import CODE_VALID

router = noun_router("sign-in")


class CodeAnswer(Answer):
    """A code, valid once and for some minutes, and the address that a browser opens with it."""

    code: str
    address: str
    valid_seconds: float


@router.post("/sign-in-codes", status_code=201)
def new_code(parts: Parts, who: Browser, request: Request) -> CodeAnswer:
    """A code for whoever asks: the browser's session is theirs."""
    code = parts.sign_in.new_code(who)
    address = str(request.base_url.replace(path="/sign-in").include_query_params(code=code))
    return CodeAnswer(code=code, address=address, valid_seconds=CODE_VALID.total_seconds())
