"""A small real HTTP server that speaks the contract between commands and servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "t0ken-of-the-folder"
RUN = "01jd0000000000000000000rvn"
COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f80910111213"


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: Any


Answer = tuple[int, Any]


@dataclass
class ContractServer:
    """Answers what a test says; of several answers the last one stays."""

    answers: dict[tuple[str, str], list[Answer | Callable[[Asked], Answer]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    address: str = ""
    close_after_answer: bool = False

    def answer(self, method: str, path: str, *answers: Any, status: int = 200) -> None:
        """Answer requests to `/api/v1` and the path with these values, one after another."""
        prepared: list[Any] = [one if callable(one) or isinstance(one, tuple) else (status, one) for one in answers]
        self.answers[method, f"/api/v1{path}"] = prepared

    def refuse(self, method: str, path: str, status: int, detail: str, remedy: str | None = None) -> None:
        """Answer with problem details."""
        problem = {"type": "about:blank", "title": "No", "status": status, "detail": detail}
        self.answer(method, path, (status, problem | ({"remedy": remedy} if remedy else {})))

    def reply(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if asked.path == "/healthz":
            return 200, {"status": "ok"}
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"title": "Unauthorized", "status": 401, "detail": "the token is not known"}
        prepared = self.answers.get((asked.method, asked.path))
        if prepared is None:
            return 404, {"title": "Not Found", "status": 404, "detail": f"there is nothing at {asked.path}"}
        one = prepared.pop(0) if len(prepared) > 1 else prepared[0]
        return one(asked) if callable(one) else one

    def bodies(self, method: str, path: str) -> list[Any]:
        """What was sent there."""
        return [one.body for one in self.asked if (one.method, one.path) == (method, f"/api/v1{path}")]


def handler_of(contract: ContractServer) -> type[BaseHTTPRequestHandler]:
    """What serves the contract's answers over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            url = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), self.headers, body)
            status, value = contract.reply(asked)
            if isinstance(value, bytes):
                content, kind = value, "application/zip" if value.startswith(b"PK") else "text/event-stream"
            else:
                content, kind = (b"" if value is None else json.dumps(value).encode()), "application/json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = contract.close_after_answer

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def run_document(status: str = "running", **more: Any) -> dict[str, Any]:
    """A run as the API shows it."""
    return {
        "id": RUN,
        "service": "shop",
        "release": None,
        "commit": COMMIT,
        "trigger": "push",
        "status": status,
        "subject": "Add discounts",
        "author": "Ada",
        "created_at": "2026-03-01T12:00:00+00:00",
        "ended_at": None,
        "because": [],
        "stages": [],
        "steps": [],
        "rollouts": [],
        "approvals": [],
        "next": [],
        **more,
    }


def asking_run() -> dict[str, Any]:
    """A run whose gate to production waits for a person."""
    reason = {"rule": "approvals", "text": "0 of 1 approvals", "remedy": f"tidegate approve {RUN}"}
    act = {"text": "production: 0 of 1 approvals", "command": f"tidegate approve {RUN}"}
    gate = {"state": "waiting", "because": [reason], "blocking": [reason], "opened_by": ""}
    stage = {"name": "production", "environment": "production", "state": "gate", "gate": gate, "opened_by": ""}
    return run_document("waiting", because=[reason], stages=[stage], next=[act])
