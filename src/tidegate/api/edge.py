"""What holds for every request, before any route: the host's name, the body's size, headers, and no tracebacks."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.api.problems import describe, respond, unexpected
from tidegate.security.browser import is_known_host

JSON_BYTES = 1024 * 1024
"""The largest body of any request but an artifact's."""

SIGNED = "/hooks/"
"""Below it requests are signed, and come by whatever name others know this server."""

STREAMED = ("PUT", "/api/v1/artifacts")

_TOO_LARGE = HTTPStatus(413)
_TOO_LARGE_DETAIL = f"the body is larger than {JSON_BYTES // 1024} KiB"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Edge:
    """The outermost part of the app. `hosts` are the names by which browsers may call this server."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def _send(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        try:
            await self._serve(request, receive, _send)
        except Exception as error:
            answer = unexpected(request, error)
            if not began:
                await answer(scope, receive, _send)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        headers = request.headers
        # a page of another site cannot know a token, nor sign: what proves itself so is no page's
        proves_itself = "authorization" in headers or request.url.path.startswith(SIGNED)
        if not proves_itself and not is_known_host(headers.get("host"), self._hosts):
            detail = f"this server is not called {headers.get('host', '')[:100]!r}"
            remedy = "use its address in figures, or localhost"
            problem = describe(HTTPStatus.MISDIRECTED_REQUEST, detail, remedy)
            await respond(request, problem)(request.scope, receive, send)
            return
        if (request.method, request.scope["path"]) == STREAMED:
            await self._app(request.scope, receive, send)
        elif _declares_too_much(headers):
            await respond(request, describe(_TOO_LARGE, _TOO_LARGE_DETAIL))(request.scope, receive, send)
        else:
            await self._app(request.scope, _limited(receive), send)


def _declares_too_much(headers: Headers) -> bool:
    declared = headers.get("content-length", "")
    return declared.isdecimal() and int(declared[:20]) > JSON_BYTES


def _limited(receive: Receive) -> Receive:
    """Refuse a body that turns out to be too large."""
    read = 0

    async def _receive() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > JSON_BYTES:
            raise HTTPException(_TOO_LARGE, _TOO_LARGE_DETAIL)
        return message

    return _receive
