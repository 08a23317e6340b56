"""Argo Rollouts' AnalysisTemplate and ClusterAnalysisTemplate (YAML) → `verify:` with `method: threshold`.

Their form is described in https://argo-rollouts.readthedocs.io/en/stable/features/analysis/. A file may hold several
documents: the metrics of all templates go together, as they do where a Rollout names several, and a Rollout that is
there gives its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from tidegate.config import document
from tidegate.config.document import Document, Node
from tidegate.config.imports import conditions, promql
from tidegate.config.imports.arguments import DEPLOYMENT, ENVIRONMENT, SERVICE, Arguments
from tidegate.config.imports.conditions import Limits, Nothing
from tidegate.config.imports.foreign import Keys, Notes
from tidegate.config.imports.translation import Names, Translation
from tidegate.config.metric_sections import MOST_METRICS
from tidegate.config.problem import ConfigError
from tidegate.model.recording import Worse

TEMPLATES = ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
_ARGUMENT = re.compile(r"\{\{\s*(?:inputs\.|templates\.)?args\.(?P<name>[\w.-]+)\s*\}\}")
_LATEST = {"podTemplateHashValue": "Latest"}
_DEFAULT_WINDOW = timedelta(minutes=1)


def translate(text: str, file: str, given: Mapping[str, str]) -> Translation:
    """The part that says the same; `given` are values for arguments, which go before those of the file.

    Raises ConfigError where the file cannot be read, or holds no template.
    """
    documents = document.read_all(text, file)
    if problems := [problem for one in documents for problem in one.problems]:
        raise ConfigError(problems)
    notes = Notes()
    wholes = [Keys.of(one, notes) for one in documents]
    templates = [one for one in wholes if one.text("kind") in TEMPLATES]
    if not templates:
        hint = f"it holds one of: {', '.join(TEMPLATES)}"
        raise ConfigError([documents[0].problem((), "there is no analysis template in this file", hint)])
    known = _of_rollouts(documents)
    names, metrics, addresses = Names(), dict[str, Any](), list[str]()
    soak = timedelta(0)
    for whole in wholes:
        if whole in templates:
            soak = max(soak, _template(whole, given, known, names, metrics, addresses))
            whole.finish()
        elif whole.text("kind") != "Rollout":
            whole.missing(f'a document of the kind "{whole.text("kind") or "none"}" is not translated')
    if len(metrics) > MOST_METRICS:
        wholes[0].missing(f"{len(metrics)} metrics are more than the {MOST_METRICS} of a stage", "choose")
    verify = {"method": "threshold", **({"soak": promql.written(soak)} if soak else {}), "metrics": metrics}
    named = ", ".join(_name(one) for one in templates)
    return Translation(
        source=f"{file} (Argo Rollouts: {named})",
        verify=verify,
        missing=notes.all_missing(),
        different=notes.all_different(),
        next_steps=_next(addresses, metrics),
    )


def _name(template: Keys) -> str:
    metadata = template.document.node(("metadata", "name"))
    return metadata.written or "without a name"


def _next(addresses: list[str], metrics: Mapping[str, Any]) -> tuple[str, ...]:
    if not metrics:
        return ()
    url = next(iter(addresses), "…")
    return (f"name the Prometheus server in tidegate-server.yaml: metrics: {{prometheus: {{url: {url}}}}}",)


def _template(
    whole: Keys,
    given: Mapping[str, str],
    known: Mapping[str, str],
    names: Names,
    metrics: dict[str, Any],
    addresses: list[str],
) -> timedelta:
    """Add the template's metrics; gives how long it measures, where it says that."""
    whole.without_effect("apiVersion", "kind", "metadata", "status")
    spec = whole.keys("spec")
    if spec is None:
        whole.missing("the template has no spec")
        return timedelta(0)
    arguments = Arguments(_ARGUMENT, _stands_for, given, {**_defaults(spec), **known})
    dry = _dry(spec)
    longest = timedelta(0)
    for metric in spec.items("metrics"):
        made = _metric(metric, arguments, dry, names, addresses)
        if made:
            name, words, lasts = made
            metrics[name] = words
            longest = max(longest, lasts)
    spec.without_effect("measurementRetention", "terminate", "ttlStrategy")
    return longest


def _defaults(spec: Keys) -> dict[str, str]:
    """The values that the template gives its arguments."""
    found: dict[str, str] = {}
    for argument in spec.items("args"):
        name, value = argument.text("name"), argument.text("value")
        if name and value is not None:
            found[name] = value
        if "valueFrom" in argument:
            argument.missing(f'the argument "{name}" comes from somewhere else', None, "valueFrom")
    return found


def _of_rollouts(documents: tuple[Document, ...]) -> dict[str, str]:
    """The arguments that a Rollout in the file gives, wherever in it an analysis stands."""
    found: dict[str, str] = {}
    for one in documents:
        root = one.plain()
        if isinstance(root, dict) and root.get("kind") == "Rollout":
            for argument in _arguments_in(one.root):
                name, value = argument.get("name"), argument.get("value")
                if isinstance(name, str) and value is not None:
                    found[name] = str(value)
                elif isinstance(name, str) and argument.get("valueFrom") == _LATEST:
                    found[name] = DEPLOYMENT
    return found


def _arguments_in(node: Node) -> Iterator[Mapping[str, Any]]:
    for key, child in (node.children or {}).items():
        if key == "args" and child.children is not None and not child.is_mapping:
            plain = child.plain()
            yield from (one for one in plain if isinstance(one, dict)) if isinstance(plain, list) else ()
        else:
            yield from _arguments_in(child)


def _dry(spec: Keys) -> list[str]:
    return [name for one in spec.items("dryRun") if (name := one.text("metricName"))]


def _metric(
    metric: Keys, arguments: Arguments, dry: list[str], names: Names, addresses: list[str]
) -> tuple[str, dict[str, Any], timedelta] | None:
    foreign = metric.text("name") or "metric"
    if any(re.fullmatch(_any_text(pattern), foreign) for pattern in dry):
        metric.taken.update(metric)
        metric.missing(f'"{foreign}" is a dry run, which decides nothing')
        return None
    query = _query(metric, foreign, arguments, addresses)
    limits = _limits(metric, foreign, arguments) if query is not None else None
    if limits is None or query is None:
        metric.taken.update(metric)
        return None
    name = names.of(foreign)
    if name != foreign:
        metric.different(f'"{foreign}" is called "{name}"', None, "name")
    interval = _time(metric, "interval", arguments)
    asked, window = _windowed(metric, foreign, query, interval)
    count = _whole(metric, "count", arguments)
    words = {
        "source": "prometheus",
        "kind": "values",
        "query": asked,
        "window": promql.written(window),
        "worse": limits.worse.value,
        "limit": _plain(limits.limit),
        **({} if limits.within is None else {"within": _plain(limits.within)}),
        **dict(_counts(metric, limits, arguments)),
    }
    _say_of_the_rest(metric, foreign, limits)
    return name, words, window * count if count else timedelta(0)


def _any_text(pattern: str) -> str:
    """A pattern of a name in which nothing but `*` and `.*` stand for something else."""
    return ".*".join(re.escape(part) for part in re.split(r"\.?\*", pattern))


def _limits(metric: Keys, foreign: str, arguments: Arguments) -> Limits | None:
    parsed = {}
    for key in ("successCondition", "failureCondition"):
        text = metric.text(key)
        parsed[key] = conditions.parse(arguments.fill(text, metric, key)) if text else None
        if text and parsed[key] is None:
            metric.missing(f'"{foreign}" has a condition of a form that has no counterpart: {text}', None, key)
            return None
    found = conditions.limits(parsed["successCondition"], parsed["failureCondition"])
    if found is None:
        both = any(one is not None for one in parsed.values())
        why = "has two conditions that look in the same direction" if both else "has no condition"
        metric.missing(f'"{foreign}" {why}')
    return found


def _query(metric: Keys, foreign: str, arguments: Arguments, addresses: list[str]) -> str | None:
    provider = metric.keys("provider")
    prometheus = provider.keys("prometheus") if provider and "prometheus" in provider else None
    if provider is None or prometheus is None:
        kind = next(iter(provider), "nobody") if provider else "nobody"
        hint = "make it a step of the stage" if kind == "job" else "a command can read it: docs/sources.md"
        metric.missing(f'"{foreign}" is measured by {kind}', hint, "provider")
        if provider:
            provider.taken.update(provider)
        return None
    address, query = prometheus.text("address"), prometheus.text("query")
    if address:
        addresses.append(arguments.fill(address, prometheus, "address"))
    if query is None:
        prometheus.missing(f'"{foreign}" has no query')
        return None
    return _selecting(prometheus, arguments.fill(query, prometheus, "query").strip())


def _selecting(prometheus: Keys, query: str) -> str:
    """A query for one deployment: Argo selects the new version by a service or a hash, Tidegate asks for each."""
    if promql.selects_deployment(query):
        return query
    selecting = promql.with_deployment(query)
    hint = "put the label by which your series tell deployments apart in its place"
    if promql.selects_deployment(selecting):
        message = f"the query asked for one version; it has {promql.DEPLOYMENT} in every selector now"
        prometheus.different(message, hint, "query")
    else:
        prometheus.missing("the query does not tell the deployments apart", f"add {promql.DEPLOYMENT}", "query")
    return selecting


def _windowed(metric: Keys, foreign: str, query: str, interval: timedelta | None) -> tuple[str, timedelta]:
    """Where the query looks back as long as the interval is, its range is the window."""
    lengths = {promql.duration(one) for one in promql.ranges(query)}
    only = next(iter(lengths)) if len(lengths) == 1 else None
    if only and interval in (None, only):
        return promql.with_window(query), only
    if interval is None:
        if lengths:
            metric.different(f'"{foreign}" is measured every minute, over the ranges that its query names')
        return query, _DEFAULT_WINDOW
    return query, interval


def _counts(metric: Keys, limits: Limits, arguments: Arguments) -> Iterator[tuple[str, Any]]:
    allowed = _whole(metric, "failureLimit", arguments)
    if allowed is not None and allowed < 0:
        metric.missing('a "failureLimit" below 0 lets any number fail', None, "failureLimit")
    elif allowed:
        yield "failure_limit", allowed
    unsure = _whole(metric, "inconclusiveLimit", arguments)
    if limits.within is not None:
        yield "inconclusive_limit", max(unsure or 0, 0)


def _say_of_the_rest(metric: Keys, foreign: str, limits: Limits) -> None:
    if limits.differs_at_limit:
        beyond = "above" if limits.worse is Worse.UP else "below"
        metric.different(f'"{foreign}" fails {beyond} {limits.limit:g}; exactly {limits.limit:g} is allowed here')
    if limits.nothing is Nothing.HOLDS:
        metric.different(f'an answer without a value is no data of "{foreign}" here, and never a success')
    if limits.nothing is Nothing.FAILS:
        metric.different(f'an answer without a value is no data of "{foreign}" here, and never a failure')
    if "initialDelay" in metric:
        hint = "a new deployment is warmed up before it is judged"
        metric.missing(f'"{foreign}" begins after {metric.text("initialDelay")}', hint, "initialDelay")
    for key in ("consecutiveErrorLimit", "consecutiveSuccessLimit"):
        if key in metric:
            hint = 'a source that fails is no data, and "no_data" says what happens then'
            metric.missing(f'"{foreign}" has "{key}: {metric.text(key)}"', hint if "Error" in key else None, key)


def _time(metric: Keys, key: str, arguments: Arguments) -> timedelta | None:
    text = metric.text(key)
    if text is None:
        return None
    found = promql.duration(arguments.fill(text, metric, key))
    if not found:
        metric.missing(f'"{key}" is no duration: {text}', None, key)
    return found


def _whole(metric: Keys, key: str, arguments: Arguments) -> int | None:
    text = metric.text(key)
    if text is None:
        return None
    filled = arguments.fill(text, metric, key)
    if re.fullmatch(r"-?\d+", filled):
        return int(filled)
    metric.missing(f'"{key}" is no whole number: {text}', None, key)
    return None


def _stands_for(name: str) -> str | None:
    """What an argument without a value is likely to be, by its name."""
    plain = name.lower().replace("_", "-")
    if "stable" in plain or "baseline" in plain:
        return None
    if "hash" in plain or plain in ("version", "revision", "deployment", "canary"):
        return DEPLOYMENT
    if plain in ("service", "service-name", "servicename", "app", "app-name", "application"):
        return SERVICE
    return ENVIRONMENT if plain in ("environment", "env", "stage") else None


def _plain(number: float) -> float | int:
    return int(number) if number.is_integer() else number
