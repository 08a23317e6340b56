"""What the trains of `tidegate-server.yaml`, and what a file requires, must not contradict."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tidegate.config.document import Document, Path, Plain
from tidegate.config.lookup import Item, at, get, items, words
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.model.ids import ServiceName
from tidegate.model.requires import circle_through


def requires_itself(document: Document, pipeline: Plain) -> Iterator[Problem]:
    """A service that would wait for itself."""
    name = get(pipeline, "service", str) if isinstance(pipeline, dict) else None
    places: list[Path] = [("requires",)]
    places += [(*stage.path, "gate", "requires") for stage in items(pipeline, ("stages",))]
    for place in places:
        required = at(pipeline, place)
        if name is not None and isinstance(required, dict) and name in required:
            yield document.problem((*place, name), f"{name} cannot wait for itself", "remove it", on_key=True)


def contradictions_in_trains(document: Document, environments: Collection[str]) -> Iterator[Problem]:
    """Names that trains do not have, circles in their order, and services that would be on two trains to one place."""
    seen: dict[str, Path] = {}
    travel: dict[tuple[str, str], str] = {}
    for train in items(document.plain(), ("trains",)):
        name, environment = train.name, get(train.keys, "environment", str)
        if name is not None and name in seen:
            yield document.problem((*train.path, "name"), f'a second train "{name}"', "give each its own name")
        seen.setdefault(name or "", train.path)
        if environment is not None and environment not in environments:
            hint = did_you_mean(environment, environments) or f"the file has {quoted_list(environments)}"
            yield document.problem((*train.path, "environment"), f'there is no environment "{environment}"', hint)
        for path, service in words(train, "services"):
            other = travel.setdefault((service, environment or ""), name or "")
            if other != (name or ""):
                message = f"{service} travels to {environment} with the train {other} already"
                yield document.problem(path, message, "keep it in one of the two")
        yield from _order(document, train)


def _order(document: Document, train: Item) -> Iterator[Problem]:
    services = [service for _, service in words(train, "services")]
    after = train.keys.get("after")
    known: dict[ServiceName, list[ServiceName]] = {}
    for service, before in after.items() if isinstance(after, dict) else ():
        path: Path = (*train.path, "after", service)
        if service not in services:
            hint = did_you_mean(service, services) or f'add it to "services": {quoted_list(services) or "none"}'
            yield document.problem(path, f"{service} is not on this train", hint, on_key=True)
        for index, one in enumerate(before if isinstance(before, list) else ()):
            if isinstance(one, str) and one not in services:
                hint = did_you_mean(one, services) or f'add it to "services": {quoted_list(services) or "none"}'
                yield document.problem((*path, index), f"{one} is not on this train", hint)
            elif isinstance(one, str):
                known.setdefault(ServiceName(service), []).append(ServiceName(one))
    for service in known:
        if circle := circle_through(service, known):
            message = f"these wait for each other in a circle: {', '.join(circle)}"
            yield document.problem((*train.path, "after"), message, "take one of them out", on_key=True)
            return
