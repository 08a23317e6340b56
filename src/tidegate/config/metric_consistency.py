"""What the keys of a metric must not contradict: its name, its source and its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tidegate.config.document import Document, Path, Plain
from tidegate.config.lookup import Item, at, get
from tidegate.config.metric_sections import METRIC_NAME, MOST_METRICS
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.model.metric import PLACEHOLDERS, SourceName, placeholders_in
from tidegate.model.recording import MetricKind, Worse

BUILT_IN = "latency"
_ERRORS = "errors"
_OF = {
    SourceName.PROMETHEUS: ("query", "total"),
    SourceName.COMMAND: ("command", "secrets"),
}


def contradictions_in_metrics(document: Document, stage: Item) -> Iterator[Problem]:
    """Everything that is wrong with the metrics of a stage, beside single values."""
    here: Path = ("verify", "metrics")
    found = at(dict(stage.keys), here)
    if not isinstance(found, dict):
        return
    own = {name: keys for name, keys in found.items() if name != BUILT_IN}
    for name, keys in own.items():
        path: Path = (*stage.path, *here, name)
        yield from _name(document, path, name, keys)
        if isinstance(keys, dict):
            yield from _source(document, path, keys)
            yield from _of_rates(document, path, keys)
            yield from _of_usage(document, path, keys)
            for key in _OF[SourceName.PROMETHEUS] if keys.get("source") == SourceName.PROMETHEUS else ():
                yield from _placeholders(document, (*path, key), get(keys, key, str))
    if len(own) > MOST_METRICS:
        message = f"{len(own)} metrics are more than {MOST_METRICS}"
        yield document.problem((*stage.path, *here), message, "compare fewer", on_key=True)


def _name(document: Document, path: Path, name: str, keys: Plain) -> Iterator[Problem]:
    if name == _ERRORS:
        yield document.problem(path, '"errors" are always compared, from the router', "remove it", on_key=True)
    elif not re.fullmatch(METRIC_NAME, name):
        message = f'"{name}" is not the name of a metric: letters, digits and "_. -", at most 63 characters'
        yield document.problem(path, message, on_key=True)
    elif "source" not in (keys if isinstance(keys, dict) else {}):
        near = did_you_mean(name, [BUILT_IN])
        message = f'unknown key "{name}"' if near else f'the metric "{name}" has no "source"'
        yield document.problem(path, message, near or f"name one: {quoted_list(SourceName)}", on_key=True)


def _source(document: Document, path: Path, keys: Mapping[str, Plain]) -> Iterator[Problem]:
    """A source is asked in its own way, and not in that of another."""
    named = get(keys, "source", str)
    if named not in list(SourceName):
        return
    source = SourceName(named)
    wanted = _OF[source][0]
    if wanted not in keys:
        yield document.problem((*path, "source"), f'a metric from "{source}" needs "{wanted}"')
    for other, words in _OF.items():
        for word in words if other is not source else ():
            if word in keys:
                message = f'"{word}" belongs to a metric from "{other}"'
                yield document.problem((*path, word), message, "remove it", on_key=True)


def _of_usage(document: Document, path: Path, keys: Mapping[str, Plain]) -> Iterator[Problem]:
    """Usage is a share of requests, and less of it is harm."""
    if keys.get("usage") is not True:
        return
    kind = get(keys, "kind", str)
    if kind in (MetricKind.HISTOGRAM, MetricKind.VALUES):
        message = f'"usage" is a share of requests; the kind here is {kind}'
        yield document.problem((*path, "usage"), message, "remove one of them", on_key=True)
    if get(keys, "worse", str) == Worse.UP:
        message = 'more usage is no harm: "worse" is down where "usage" is true'
        yield document.problem((*path, "worse"), message, "remove it", on_key=True)
    if _is_all(get(keys, "tolerance", str)):
        message = "usage cannot drop by more than all of it"
        yield document.problem((*path, "tolerance"), message, "write a smaller drop, like 20%")


def _is_all(word: str | None) -> bool:
    """Whether a percentage is 100% or more; one that cannot be read is told elsewhere."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", word or "")
    return found is not None and float(found[1]) >= 100


def _of_rates(document: Document, path: Path, keys: Mapping[str, Plain]) -> Iterator[Problem]:
    kind = get(keys, "kind", str)
    if kind in (MetricKind.HISTOGRAM, MetricKind.VALUES):
        for word in ("per", "total"):
            if word in keys:
                message = f'"{word}" belongs to a rate; the kind here is {kind}'
                yield document.problem((*path, word), message, "remove it", on_key=True)
    elif "per" in keys and "total" in keys:
        yield document.problem((*path, "total"), '"total" takes the place of "per"', "keep one of them", on_key=True)


def _placeholders(document: Document, path: Path, query: str | None) -> Iterator[Problem]:
    if query is None:
        return
    words = placeholders_in(query)
    unknown = [(offset, word) for offset, word in words if word not in PLACEHOLDERS]
    for offset, word in unknown:
        known = ", ".join(f"${one}" for one in PLACEHOLDERS)
        near = did_you_mean(word, PLACEHOLDERS)
        hint = near.replace('"', '"$', 1) if near else f"known here: {known}"
        yield document.problem_within(path, offset, f"there is no ${word}", hint)
    if not unknown and "deployment" not in [word for _, word in words]:
        message = "the query does not name $deployment, so it would say the same of both deployments"
        yield document.problem(path, message, 'select by a label, like {deployment="$deployment"}')
