"""Every route of the app, however it was included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount, Route

from tidegate.api.security import Needs
from tidegate.security.permission import Permission


@dataclass(frozen=True, slots=True, order=True)
class Known:
    """A method at a path, with `{…}` for what varies."""

    path: str
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def example(self) -> str:
        """The path with something plausible for what varies."""
        path = self.path
        for name, value in EXAMPLES.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, f"no example for {self.path}"
        return path


EXAMPLES = {
    "drill": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "incident": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "freeze": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "question": "01hzzzzzzzzzzzzzzzzzzzzzzz-1-1-0",
    "name": "shop",
    "secret": "KEY",
    "stage": "production",
    "run": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "release": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "rollout": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "step_run": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "digest": "sha256:" + "0" * 64,
    "act": "cancel",
    "glass": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "address": "ada@example.com",
    "fingerprint:path": "SHA256:" + "A" * 43,
    "channel": "leads",
    "delegation": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "grant": "01hzzzzzzzzzzzzzzzzzzzzzzz",
    "token": "01hzzzzzzzzzzzzzzzzzzzzzzz",
}


def routes_of(app: FastAPI) -> list[Known]:
    """All of them; fails at a kind of route that it does not know, so that none is overlooked."""
    return sorted(set(_walk(app.routes)))


def _walk(routes: Any) -> Iterator[Known]:
    for one in routes:
        if hasattr(one, "effective_route_contexts"):
            yield from _walk(one.effective_route_contexts())
        elif isinstance(one, Mount):
            yield Known(f"{one.path}/", "MOUNT")
        else:
            assert isinstance(one, Route) or one.methods, f"an unknown kind of route: {one!r}"
            yield from (Known(one.path, method) for method in one.methods if method != "HEAD")


def declared_permissions(app: FastAPI) -> dict[str, Permission]:
    """The permission that each route says it needs, where it says one, by its name in the OpenAPI document."""
    found: dict[str, Permission] = {}
    for one in _contexts(app.routes):
        needed = list(_needs(one.dependant)) if hasattr(one, "dependant") else []
        assert len(needed) < 2, f"{one.path} needs {needed}"
        if needed:
            found |= {f"{method} {one.path.replace(':path}', '}')}": needed[0] for method in one.methods}
    return found


def _contexts(routes: Any) -> Iterator[Any]:
    for one in routes:
        if hasattr(one, "effective_route_contexts"):
            yield from _contexts(one.effective_route_contexts())
        else:
            yield one


def _needs(dependant: Any) -> Iterator[Permission]:
    for one in dependant.dependencies:
        if isinstance(one.call, Needs):
            yield one.call.permission
        yield from _needs(one)
