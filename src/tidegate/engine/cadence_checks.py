"""What a pushed file says of other services and of trains, checked against what this server knows."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.config.problem import did_you_mean, quoted_list
from tidegate.engine.parts import Parts
from tidegate.model.pipeline import Pipeline
from tidegate.model.reason import Reason
from tidegate.model.requires import circle_through
from tidegate.model.service import Service
from tidegate.store import cadence_queries


def cadence_problems(connection: Connection, parts: Parts, service: Service, pipeline: Pipeline) -> tuple[Reason, ...]:
    """Services and trains that are not known here, and services that would wait for each other in a circle."""
    known = cadence_queries.required_by(connection)
    problems: list[Reason] = []
    for name in pipeline.requires:
        if name not in known:
            near = did_you_mean(name, known) or f"add it first; there are {quoted_list(sorted(known)) or 'none'}"
            problems.append(Reason("configuration", f"requires: there is no service {name} here: {near}"))
    circle = circle_through(service.name, {**known, service.name: pipeline.requires})
    if circle:
        text = f"requires: these wait for each other in a circle: {', '.join(circle)}"
        problems.append(Reason("configuration", text, "take one of the requirements out"))
    if pipeline.train is not None and pipeline.train not in parts.trains:
        near = did_you_mean(pipeline.train, parts.trains) or f"there are {quoted_list(sorted(parts.trains)) or 'none'}"
        problems.append(Reason("configuration", f"train: this server has no train {pipeline.train}: {near}"))
    return tuple(problems)
