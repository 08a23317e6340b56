"""What a stage's checks must not contradict: its steps, the environments, and what can be measured."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping

from tidegate.config.check_sections import LOAD_CHECK
from tidegate.config.document import Document, Path, Plain
from tidegate.config.lookup import Item, at, get, items
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.model.environment import Environment
from tidegate.model.ids import EnvironmentName
from tidegate.model.load import LEAST_SENT, STEPS, LoadRule
from tidegate.model.quantity import parse_duration, parse_rate

_Environments = Mapping[EnvironmentName, Environment] | Collection[EnvironmentName] | None


def contradictions_in_checks(
    document: Document, stage: Item, pipeline: Plain, environments: _Environments
) -> Iterator[Problem]:
    """Everything that is wrong with the checks and the load check of a stage, beside single values."""
    yield from _names(document, stage)
    load = at(dict(stage.keys), ("verify", "load"))
    if isinstance(load, dict):
        path: Path = (*stage.path, "verify", "load")
        yield from _protected(document, path, stage, load, environments)
        yield from _compared_with(document, path, stage, load, pipeline, environments)
        yield from _too_few(document, path, load)


def _names(document: Document, stage: Item) -> Iterator[Problem]:
    """A check stands among the stage's steps, on the run's page and for `tidegate logs`."""
    steps = [(one.name, "step", one) for one in items(dict(stage.keys), ("steps",))]
    checks = [(one.name, "check", one) for one in items(dict(stage.keys), ("verify", "checks"))]
    first: dict[str, str] = {}
    for name, what, item in (*steps, *checks):
        if name is None:
            continue
        path = (*stage.path, *item.path, "name")
        if name == LOAD_CHECK and at(dict(stage.keys), ("verify", "load")) is not None:
            yield document.problem(path, f'the load check is called "{name}"', "give this one another name")
        if name in first and (what == "check" or first[name] == "check"):
            message = f'the stage has a {first[name]} with the name "{name}" already'
            yield document.problem(path, message, "give each its own name")
        first.setdefault(name, what)


def _protected(
    document: Document, path: Path, stage: Item, load: Mapping[str, Plain], environments: _Environments
) -> Iterator[Problem]:
    name = get(stage.keys, "environment", str)
    known = environments.get(EnvironmentName(name)) if isinstance(environments, Mapping) and name else None
    if known and known.protected and load.get("protected") is not True:
        message = f"a load check in {name}, which is protected, would come on top of what its users ask"
        hint = "give an earlier stage the load check, or say protected: true"
        yield document.problem(path, message, hint, on_key=True)


def _compared_with(
    document: Document,
    path: Path,
    stage: Item,
    load: Mapping[str, Plain],
    pipeline: Plain,
    environments: _Environments,
) -> Iterator[Problem]:
    named = get(load, "of", str)
    if named is not None:
        if environments is not None and named not in environments:
            hint = did_you_mean(named, environments) or f"the server has {quoted_list(environments) or 'none'}"
            yield document.problem((*path, "of"), f'there is no environment "{named}"', hint)
        return
    last = list(items(pipeline, ("stages",)))[-1]
    here = get(stage.keys, "environment", str)
    if here is not None and get(last.keys, "environment", str) == here and load.get("protected") is not True:
        message = "a load check is compared with what users ask in another environment, and the file leads to none"
        yield document.problem(path, message, 'name it with "of"', on_key=True)


def _too_few(document: Document, path: Path, load: Mapping[str, Plain]) -> Iterator[Problem]:
    """The first of the steps must show something."""
    rate, ramp = get(load, "at_least", str), get(load, "ramp", str)
    try:
        per_second = parse_rate(rate or "")
        span = parse_duration(ramp) if ramp is not None else LoadRule(EnvironmentName(""), 1.0).ramp
    except (ValueError, OverflowError):
        return
    sent = per_second / STEPS * span.total_seconds() / STEPS
    if sent < LEAST_SENT:
        wanted = LEAST_SENT * STEPS * STEPS
        message = f"the first of the {STEPS} steps would send {sent:.2g} requests, and says nothing below {LEAST_SENT}"
        more = (
            f"at_least: {math.ceil(10 * wanted / span.total_seconds()) / 10:g}/s"
            if span.total_seconds()
            else "a longer ramp"
        )
        longer = f", or ramp: {math.ceil(wanted / per_second)}s" if per_second else ""
        yield document.problem((*path, "at_least"), message, f"{more}{longer}")
