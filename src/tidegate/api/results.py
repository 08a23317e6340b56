"""The route by which results come, once a step: what FastAPI does before a route's own first line takes longer than
half of what is done with a result.

A request that is as it should be is read here, in one go; every other one by FastAPI, which says what is wrong with it.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from fastapi import Request, Response
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from tidegate.api.fields import IdentifierPath
from tidegate.api.idempotency import HEADER, ActRoute, Handler
from tidegate.api.security import Needs, parts_of
from tidegate.security.permission import Permission

_needs_agent = Needs(Permission.PERFORM)


class ResultRoute(ActRoute):
    """A route whose function takes `parts, who, step_run, body`, and needs the permission to perform steps."""

    def get_route_handler(self) -> Handler:
        """The handler of the route."""
        by_fastapi = super().get_route_handler()
        readers = cache(partial(_readers, self))

        async def _handle(request: Request) -> Response:
            if HEADER in request.headers or request.headers.get("content-type") != "application/json":
                return await by_fastapi(request)
            who = await _needs_agent(request)
            read_id, read_body = readers()
            try:
                step_run = read_id.validate_python(request.path_params["step_run"])
                body = read_body.validate_json(await request.body())
            except ValidationError:
                return await by_fastapi(request)
            parts = parts_of(request)
            try:
                answer: Response = await run_in_threadpool(self.endpoint, parts, who, step_run, body)
                return answer
            finally:
                parts.events.wake()

        return _handle


def _readers(route: ResultRoute) -> tuple[TypeAdapter[str], TypeAdapter[object]]:
    """What reads the id in the path, and the body. Made with the first result: a start should not wait for them."""
    assert route.body_field is not None
    body: Any = route.body_field.field_info.annotation
    return TypeAdapter(IdentifierPath), TypeAdapter(body)
