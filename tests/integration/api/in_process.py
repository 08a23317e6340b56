"""Requests straight to the app, as a server would pass them on: nothing of a client or a socket changes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import httpx

LIMIT_SECONDS = 20.0


async def ask(app: Any, method: str, url: str, headers: Mapping[str, str], content: bytes) -> httpx.Response:
    """The answer; of a stream of events, the first part."""
    path, _, query = url.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "client": ("127.0.0.1", 50000), "server": ("localhost", 80), "state": {},
        "headers": [(name.lower().encode(), text.encode()) for name, text in {"host": "localhost", **headers}.items()],
    }  # fmt: skip
    told: list[Mapping[str, Any]] = []
    gone = asyncio.Event()

    async def _receive() -> Mapping[str, Any]:
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": content, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    asked: list[bool] = []

    async def _send(message: Mapping[str, Any]) -> None:
        told.append(message)
        if message.get("body") and (b"content-type", b"text/event-stream; charset=utf-8") in told[0]["headers"]:
            gone.set()

    async with asyncio.timeout(LIMIT_SECONDS):
        await app(scope, _receive, _send)
    body = b"".join(one.get("body", b"") for one in told[1:])
    answer = httpx.Response(told[0]["status"], headers=told[0]["headers"], content=body)
    answer.request = httpx.Request(method, f"http://localhost{path}")
    answer.elapsed = timedelta(0)
    return answer
