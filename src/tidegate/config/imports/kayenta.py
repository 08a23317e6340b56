"""Kayenta's canary configuration (JSON) → `verify:` with `method: mann_whitney`.

Its form is described in https://github.com/spinnaker/spinnaker, `kayenta/docs/canary-config.md`. It may stand inside of
what Spinnaker wraps around it: a request with an execution, a stage, an answer of the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from tidegate.config import document
from tidegate.config.document import Document
from tidegate.config.imports.arguments import DEPLOYMENT, Arguments
from tidegate.config.imports.foreign import Keys, Notes
from tidegate.config.imports.promql import selects_deployment, written
from tidegate.config.imports.translation import Names, Translation
from tidegate.config.metric_sections import MOST_METRICS
from tidegate.config.problem import ConfigError, Problem
from tidegate.model.mann_whitney import Direction, NanStrategy

JUDGE = "NetflixACAJudge-v1.0"
_WRAPPERS = ("canaryConfig", "config", "data", "context", "body")
_ARGUMENT = re.compile(r"\$\\?\{\s*(?P<name>[A-Za-z_][\w.-]*)\s*\}")
_MEASURES = {"meanRatio": "mean_ratio", "cles": "cles"}
_PROMQL = "PromQL:"
_NO_EFFECT = (
    *("id", "description", "createdTimestamp", "createdTimestampIso", "updatedTimestamp", "updatedTimestampIso"),
    *("configVersion", "applications"),
)


def translate(text: str, file: str, given: Mapping[str, str]) -> Translation:
    """The part that says the same; `given` are values for arguments of its queries.

    Raises ConfigError where the file cannot be read, or holds no canary configuration.
    """
    read = document.read(_as_yaml(text), file)
    if read.problems:
        raise ConfigError(read.problems)
    notes = Notes()
    whole = Keys.of(read, notes)
    config, scores, times = _config(whole)
    if config is None:
        raise ConfigError([_no_config(read, whole)])
    verify = _verify(config, scores, times, given)
    name = config.text("name")
    whole.finish()
    return Translation(
        source=f"{file} (Kayenta{f': {name}' if name else ''})",
        verify=verify,
        missing=notes.all_missing(),
        different=notes.all_different(),
        next_steps=_next(verify),
    )


def _as_yaml(text: str) -> str:
    """JSON is YAML but for two things: tabs between the words, and characters written as two halves."""
    halves = r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    whole = re.sub(halves, lambda found: bytes.fromhex(found[1] + found[2]).decode("utf-16-be"), text)
    return whole.replace("\t", " ")


def _config(whole: Keys) -> tuple[Keys | None, list[Keys], dict[str, Any]]:
    """The configuration itself, where else the limits of the score may stand, outermost last, and what a stage says of
    its times."""
    here = whole
    scores: list[Keys] = []
    times: dict[str, Any] = {}
    for _ in range(len(_WRAPPERS)):
        if "metrics" in here:
            return here, scores, times
        times |= dict(_times(here))
        for word, limits in (("executionRequest", "thresholds"), ("execution", "thresholds")):
            request = here.keys(word) if word in here else None
            if request and (found := request.keys(limits)):
                scores.insert(0, found)
        if "scoreThresholds" in here and (found := here.keys("scoreThresholds")):
            scores.insert(0, found)
        inner = next((word for word in _WRAPPERS if word in here), None)
        found = here.keys(inner) if inner else None
        if found is None:
            break
        here = found
    return None, scores, times


def _times(stage: Keys) -> Iterator[tuple[str, Any]]:
    """How long a canary stage looks, and after how many of the figures, of which there is one a minute."""
    hours, minutes = stage.number("lifetimeHours"), stage.number("canaryAnalysisIntervalMins")
    lasts = timedelta(hours=hours) if hours else None
    if "lifetimeDuration" in stage:
        lasts = _iso(stage.text("lifetimeDuration") or "")
        if lasts is None:
            stage.missing('"lifetimeDuration" is no duration like PT1H30M', None, "lifetimeDuration")
    if lasts:
        yield "soak", written(lasts)
    if minutes and minutes >= 1:
        yield "every", round(minutes)
    if "beginCanaryAnalysisAfterMins" in stage:
        hint = "a new deployment is warmed up before it is judged"
        stage.missing('"beginCanaryAnalysisAfterMins" is not translated', hint, "beginCanaryAnalysisAfterMins")


def _iso(text: str) -> timedelta | None:
    """`PT1H30M`; None for what is none."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _no_config(read: Document, whole: Keys) -> Problem:
    if any(word in whole for word in ("stages", "canaryConfigId")) or "canaryConfigId" in read.text:
        return read.problem((), "this names a canary configuration by its id", "export the configuration itself")
    return read.problem((), 'this is no canary configuration: it has no "metrics"', "export it from Spinnaker as JSON")


def _verify(config: Keys, scores: list[Keys], times: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    config.without_effect(*_NO_EFFECT)
    _check_judge(config)
    templates = config.keys("templates")
    names = Names()
    metrics: dict[str, Any] = {}
    for metric in config.items("metrics"):
        made = _metric(metric, templates, given, names)
        if made:
            name, words = made
            metrics[name] = words
    if len(metrics) > MOST_METRICS:
        config.missing(f"{len(metrics)} metrics are more than the {MOST_METRICS} of a stage", "choose", "metrics")
    classifier = config.keys("classifier")
    return {
        "method": "mann_whitney",
        **times,
        **_scores(classifier, scores),
        **_groups(classifier, metrics),
        "metrics": metrics,
    }


def _check_judge(config: Keys) -> None:
    judge = config.keys("judge")
    if judge is None:
        return
    name = judge.text("name")
    if name not in (None, JUDGE):
        judge.missing(f'the judge "{name}" is not known; this is translated for {JUDGE}', None, "name")
    if not judge.is_empty("judgeConfigurations"):
        judge.missing('"judgeConfigurations" are not translated', None, "judgeConfigurations")


def _scores(classifier: Keys | None, outside: list[Keys]) -> dict[str, Any]:
    """The limits of the score: those of an execution go before those of the configuration."""
    own = classifier.keys("scoreThresholds") if classifier and "scoreThresholds" in classifier else None
    said: dict[str, Any] = {}
    for limits in (own, *outside):
        for word in ("pass", "marginal") if limits else ():
            number = limits.number(word) if limits else None
            if number is not None:
                said[word] = _plain(number)
    return said


def _groups(classifier: Keys | None, metrics: Mapping[str, Any]) -> dict[str, Any]:
    weights = classifier.keys("groupWeights") if classifier else None
    if weights is None:
        return {}
    used = {group for metric in metrics.values() for group in metric.get("groups", ())}
    said: dict[str, float] = {}
    for name in weights:
        number = weights.number(name)
        if number is None:
            continue
        if name in used:
            said[name] = number
        else:
            weights.missing(f'no metric that could be translated belongs to the group "{name}"', None, name)
    is_whole = all(said.keys() >= set(metric.get("groups", ())) for metric in metrics.values())
    if sum(said.values()) != 100 and is_whole:
        total = f"{sum(said.values()):g}"
        weights.different(f"the weights of the groups make {total}, and the best score is 100 all the same")
    return {"groups": {name: _plain(weight) for name, weight in said.items()}} if said else {}


def _metric(
    metric: Keys, templates: Keys | None, given: Mapping[str, str], names: Names
) -> tuple[str, dict[str, Any]] | None:
    foreign = metric.text("name") or "metric"
    metric.without_effect("id")
    scope = metric.text("scopeName")
    if scope not in (None, "default"):
        metric.different(f'the scope "{scope}" of "{foreign}" is taken for the deployment', None, "scopeName")
    query = metric.keys("query")
    if query is None:
        metric.missing(f'"{foreign}" has no query')
        return None
    asked = _query(query, foreign, templates, given)
    if asked is None:
        metric.taken.update(metric)
        return None
    name = names.of(foreign)
    if name != foreign:
        metric.different(f'"{foreign}" is called "{name}"', None, "name")
    groups = metric.texts("groups")
    words = {"source": "prometheus", "kind": "values", "query": asked, **({"groups": list(groups)} if groups else {})}
    analysis = metric.keys("analysisConfigurations")
    canary = analysis.keys("canary") if analysis and "canary" in analysis else None
    return name, words | dict(_analysis(canary) if canary else ())


def _analysis(canary: Keys) -> Iterator[tuple[str, Any]]:
    """How it is judged; what Kayenta takes for the default where nothing is said is the default here, too."""
    direction, strategy = canary.text("direction"), canary.text("nanStrategy")
    if direction in list(Direction):
        yield "direction", direction
    elif direction is not None:
        canary.missing(f'there is no direction "{direction}"; either is taken', None, "direction")
    if strategy in list(NanStrategy):
        yield "nan_strategy", strategy
    elif strategy not in (None, "none"):
        canary.missing(f'there is no NaN strategy "{strategy}"; remove is taken', None, "nanStrategy")
    for foreign, word in (("critical", "critical"), ("mustHaveData", "must_have_data"), ("muted", "muted")):
        if canary.flag(foreign):
            yield word, True
    if canary.text("criticality") == "critical":
        yield "critical", True
    effect, outliers = canary.keys("effectSize"), canary.keys("outliers")
    if effect and (said := dict(_effect(effect))):
        yield "effect_size", said
    if outliers and outliers.text("strategy") == "remove":
        factor = outliers.number("outlierFactor")
        yield "outliers", {"strategy": "remove"} | ({} if factor is None else {"factor": _plain(factor)})


def _effect(effect: Keys) -> Iterator[tuple[str, Any]]:
    measure = effect.text("measure")
    if measure in _MEASURES:
        yield "measure", _MEASURES[measure]
    elif measure is not None:
        effect.missing(f'there is no measure "{measure}"; meanRatio is taken', None, "measure")
    for foreign, word in (
        ("allowedIncrease", "allowed_increase"),
        ("allowedDecrease", "allowed_decrease"),
        ("criticalIncrease", "critical_increase"),
        ("criticalDecrease", "critical_decrease"),
    ):
        number = effect.number(foreign)
        if number is not None:
            yield word, _plain(number)


def _query(query: Keys, metric: str, templates: Keys | None, given: Mapping[str, str]) -> str | None:
    """The PromQL that Kayenta would ask; None where it asks somebody else, or cannot be told."""
    kind = query.text("type") or query.text("serviceType")
    query.without_effect("type", "serviceType")
    if kind != "prometheus":
        query.taken.update(query)
        hint = "a command can read it: docs/sources.md"
        query.missing(f'"{metric}" comes from {kind or "a source that it does not name"}', hint, "type")
        return None
    arguments = Arguments(_ARGUMENT, _stands_for, given, {})
    custom = _filter(query, metric, templates)
    if custom is not None and custom.startswith(_PROMQL):
        asked = custom.removeprefix(_PROMQL).strip()
        query.without_effect("metricName", "labelBindings", "groupByFields", "resourceType")
    else:
        asked = _average(query, metric, custom)
    filled = arguments.fill(asked, query, None)
    if not selects_deployment(filled):
        hint = f'add {{deployment="{DEPLOYMENT}"}}, or the label by which your series tell deployments apart'
        query.missing(f'the query of "{metric}" does not tell the deployments apart', hint)
    return filled


def _filter(query: Keys, metric: str, templates: Keys | None) -> str | None:
    inline, plain = query.text("customInlineTemplate"), query.text("customFilter")
    named = query.text("customFilterTemplate")
    if inline or plain:
        return inline or plain
    if not named:
        return None
    template = templates.text(named) if templates else None
    if template is None:
        query.missing(f'"{metric}" uses the template "{named}", which is not there', None, "customFilterTemplate")
    return template


def _average(query: Keys, metric: str, custom: str | None) -> str:
    """What Kayenta makes of a metric's name and labels: the average of all series."""
    resource = query.text("resourceType")
    if resource and not custom:
        hint = "select the series by labels"
        query.missing(f'"{metric}" selects by the resource type "{resource}"', hint, "resourceType")
    matchers = [part.strip() for part in (custom or "").split(",") if part.strip()]
    matchers += query.texts("labelBindings")
    selector = f"{{{','.join(matchers)}}}" if matchers else ""
    by = query.texts("groupByFields")
    asked = f"avg({query.text('metricName') or ''}{selector})"
    return f"{asked} by ({','.join(by)})" if by else asked


def _stands_for(name: str) -> str | None:
    return DEPLOYMENT if name in ("scope", "experiment", "deployment") else None


def _next(verify: Mapping[str, Any]) -> tuple[str, ...]:
    if not verify["metrics"]:
        return ()
    return ("name the Prometheus server in tidegate-server.yaml: metrics: {prometheus: {url: …}}",)


def _plain(number: float) -> float | int:
    return int(number) if number.is_integer() else number
