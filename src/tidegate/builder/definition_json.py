"""A build's definition as JSON and back, so that a `tidegate.yaml` that did not change is not read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from tidegate.model.ids import StepName
from tidegate.model.pipeline import (
    Build,
    Concurrency,
    FolderCache,
    Outdated,
    Retry,
    RetryCause,
    Setup,
    Sidecar,
    SidecarHealth,
    Step,
)


def build_json(build: Build) -> dict[str, Any]:
    """Plain values for JSON; what has its default value is left out."""
    plain: dict[str, Any] = _plain(build)
    return plain


def build_of_json(value: dict[str, Any]) -> Build:
    """The build that `build_json` gave these values for."""
    steps = tuple(_step(one) for one in value.get("steps", ()))
    setup = _setup(value["setup"]) if "setup" in value else None
    return Build(steps, setup, Outdated(value.get("outdated", Outdated.FINISH)))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        given = {one.name: getattr(value, one.name) for one in fields(value)}
        default = {one.name: one.default for one in fields(value)}
        return {name: _plain(one) for name, one in given.items() if one != default[name] and one != {}}
    match value:
        case Enum():
            return value.value
        case timedelta():
            return value.total_seconds()
        case tuple():
            return [_plain(one) for one in value]
        case dict():
            return dict(value)
        case _:
            return value


def _step(value: dict[str, Any]) -> Step:
    given = {**value, "name": StepName(value["name"])}
    for name in ("needs", "inputs", "outputs", "labels"):
        if name in value:
            given[name] = tuple(value[name])
    for name, of_json in _PARTS.items():
        if name in value:
            given[name] = of_json(value[name])
    return Step(**given)


def _retry(value: dict[str, Any]) -> Retry:
    given = {**value}
    if "causes" in value:
        given["causes"] = tuple(RetryCause(one) for one in value["causes"])
    return Retry(**given)


def _folder_cache(value: dict[str, Any]) -> FolderCache:
    return FolderCache(tuple(value.get("paths", ())), tuple(value.get("key", ())))


def _sidecar(value: dict[str, Any]) -> Sidecar:
    given = dict(value)
    if "health" in value:
        health = dict(value["health"])
        if "within" in health:
            health["within"] = timedelta(seconds=health["within"])
        given["health"] = SidecarHealth(**health)
    return Sidecar(**given)


def _sidecars(value: list[Any]) -> tuple[Sidecar, ...]:
    return tuple(_sidecar(one) for one in value)


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


_PARTS: dict[str, Callable[[Any], Any]] = {
    "timeout": _seconds,
    "retry": _retry,
    "sidecars": _sidecars,
    "cache": _folder_cache,
    "concurrency": lambda value: Concurrency(**value),
}


def _setup(value: dict[str, Any]) -> Setup:
    given = {**value}
    for name in ("inputs", "outputs"):
        given[name] = tuple(value.get(name, ()))
    if "cache" in value:
        given["cache"] = _folder_cache(value["cache"])
    return Setup(**given)
