"""Dependencies between services: what one needs of another where it goes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tidegate.model.ids import ServiceName


@dataclass(frozen=True, slots=True)
class Requirement:
    """A version of `service` that fits `specifier` must serve wherever the service that asks for it goes."""

    service: ServiceName
    specifier: str


@dataclass(frozen=True, slots=True)
class Serving:
    """What of a service serves in an environment: `label` is None where nothing does, `version` where its release has
    none. `passed` says whether it passed there, and nothing is on its way to take its place."""

    is_known: bool = False
    label: str | None = None
    version: str | None = None
    passed: bool = False


def circle_through(service: ServiceName, requires: Mapping[ServiceName, Collection[ServiceName]]) -> list[ServiceName]:
    """The services of a circle that leads back to `service`, in order and without it at the end; empty where none
    does."""
    way: list[ServiceName] = []
    seen: set[ServiceName] = set()

    def leads_back(at: ServiceName) -> bool:
        way.append(at)
        for other in requires.get(at, ()):
            if other == service:
                return True
            if other not in seen:
                seen.add(other)
                if leads_back(other):
                    return True
        way.pop()
        return False

    return way if leads_back(service) else []
