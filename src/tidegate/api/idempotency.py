"""`Idempotency-Key`: the same act sent twice is done once (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from tidegate.api.problems import ProblemRaised
from tidegate.api.security import identify

HEADER = "Idempotency-Key"
KEPT_SECONDS = 24 * 3600.0
KEPT_AT_MOST = 10_000
"""Answers are kept in memory: a restart of the server forgets them."""

LONGEST_KEY = 200

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(slots=True)
class _Kept:
    """What became of a key; `answer` is None as long as nothing was done."""

    body_hash: bytes
    at: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: Response | None = None


class KnownAnswers:
    """The answers to acts that carried a key. Used by one event loop."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[tuple[str, ...], _Kept] = {}

    def of(self, key: tuple[str, ...], body: bytes) -> _Kept:
        """What is kept for this key, from now on if not before. Raises ProblemRaised where it was another act's."""
        self._forget_old()
        body_hash = hashlib.sha256(body).digest()
        kept = self._kept.setdefault(key, _Kept(body_hash, self._now()))
        if kept.body_hash != body_hash:
            raise ProblemRaised(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"this {HEADER} was used for another request", "use a fresh key"
            )
        return kept

    def _forget_old(self) -> None:
        now = self._now()
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) < KEPT_AT_MOST and now - self._kept[oldest].at < KEPT_SECONDS:
                return
            del self._kept[oldest]


class ActRoute(APIRoute):
    """A route that changes something: it honours an Idempotency-Key, and wakes whoever listens for events.

    Only what was done is remembered: an act that was refused changed nothing and may be tried again.
    """

    def get_route_handler(self) -> Handler:
        """The handler of the route."""
        original = super().get_route_handler()

        async def _handle(request: Request) -> Response:
            if request.method in ("GET", "HEAD"):
                return await original(request)
            try:
                return await _once(request, original)
            finally:
                request.app.state.parts.events.wake()

        return _handle


async def _once(request: Request, original: Handler) -> Response:
    key = request.headers.get(HEADER)
    identity = identify(request) if key is not None else None
    if key is None or identity is None:
        return await original(request)
    if not 0 < len(key) <= LONGEST_KEY:
        raise ProblemRaised(HTTPStatus.UNPROCESSABLE_ENTITY, f"{HEADER} has 1 to {LONGEST_KEY} characters")
    answers: KnownAnswers = request.app.state.known_answers
    kept = answers.of((identity.actor.name, request.method, request.url.path, key), await request.body())
    async with kept.lock:
        if kept.answer is None:
            answer = await original(request)
            if answer.status_code >= HTTPStatus.BAD_REQUEST or not hasattr(answer, "body"):
                return answer
            kept.answer = answer
            return answer
        return Response(
            kept.answer.body,
            kept.answer.status_code,
            {**kept.answer.headers, "Idempotency-Replayed": "true"},
        )
