"""What a stage of `tidegate.yaml` must not contradict: the rest of the file, the known environments, and itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from tidegate.config.check_consistency import contradictions_in_checks
from tidegate.config.document import Document, Path, Plain
from tidegate.config.lookup import Item, at, get, items
from tidegate.config.metric_consistency import contradictions_in_metrics
from tidegate.config.policy_consistency import contradictions_in_policies, stage_names
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.resolve import default_strategy
from tidegate.config.time_consistency import unknown_calendars_at
from tidegate.config.values import canary_share
from tidegate.model.ids import EnvironmentName
from tidegate.model.pipeline import OnBlind, Risk, Runtime, Strategy
from tidegate.model.quantity import parse_duration
from tidegate.model.share import WHOLE, Share

_INSTANCES = Runtime("true").instances


def contradictions_in_stage(
    document: Document, stage: Item, pipeline: Plain, environments: Collection[EnvironmentName] | None
) -> Iterator[Problem]:
    """Everything that is wrong between the stage's keys, the rest of the file and the known environments."""
    yield from _environment(document, stage, environments)
    yield from unknown_calendars_at(document, stage, environments)
    yield from contradictions_in_policies(document, (*stage.path, "gate"), stage_names(pipeline))
    if at(pipeline, ("runtime",)) is None:
        yield from _nothing_to_deploy(document, stage)
        yield from _no_floor(document, stage, pipeline)
    else:
        yield from _strategy(document, stage, pipeline)
    yield from _shares(document, stage)
    yield from _times(document, stage)
    yield from _quantiles(document, stage)
    yield from contradictions_in_metrics(document, stage)
    yield from contradictions_in_checks(document, stage, pipeline, environments)


def _environment(
    document: Document, stage: Item, environments: Collection[EnvironmentName] | None
) -> Iterator[Problem]:
    name = get(stage.keys, "environment", str)
    if environments is None or name is None or name in environments:
        return
    hint = did_you_mean(name, environments) or f"the server has {quoted_list(environments) or 'none'}"
    yield document.problem((*stage.path, "environment"), f'there is no environment "{name}"', hint)


def _nothing_to_deploy(document: Document, stage: Item) -> Iterator[Problem]:
    remedy = 'say in a "runtime" section how it runs'
    about_deployment = [key for key in ("deploy", "verify") if key in stage.keys]
    for key in about_deployment:
        message = f'there is nothing to {key}: the file has no "runtime"'
        yield document.problem((*stage.path, key), message, remedy, on_key=True)
    if not stage.keys.get("steps") and not about_deployment:
        yield document.problem(stage.path, "the stage does nothing: it has no steps", f"add steps, or {remedy}")


def _no_floor(document: Document, stage: Item, pipeline: Plain) -> Iterator[Problem]:
    """What cannot be undone binds what the stage deploys."""
    for step in items(pipeline, (*stage.path, "steps")):
        if step.keys.get("irreversible") is True:
            message = "the stage deploys nothing that could not go back after it"
            path = (*step.path, "irreversible")
            yield document.problem(path, message, 'remove it, or say in a "runtime" section how it runs', on_key=True)


def _strategy(document: Document, stage: Item, pipeline: Plain) -> Iterator[Problem]:
    runtime = at(pipeline, ("runtime",))
    deploy = stage.keys.get("deploy")
    named = get(deploy, "strategy", str)
    if named is not None and named not in list(Strategy):
        return
    mixes = get(runtime, "mixed_versions", bool) is not False
    strategy = Strategy(named) if named else _default_strategy(pipeline, runtime, mixes)
    if not mixes and strategy is not Strategy.BLUE_GREEN:
        message = f'"{strategy}" lets two versions serve beside each other, which mixed_versions: false forbids'
        yield document.problem((*stage.path, "deploy", "strategy"), message, "use blue-green")
    if strategy is Strategy.ROLLING and get(stage.keys.get("verify"), "blind", str) == OnBlind.BASELINE:
        message = "a rolling deployment leaves no old one whole that traffic could go back to"
        yield document.problem((*stage.path, "verify", "blind"), message, "use canary or blue-green, or hold")
    if isinstance(deploy, dict) and "shares" in deploy and strategy is not Strategy.CANARY:
        message = f'"shares" belongs to a canary; the strategy here is {strategy}'
        hint = "remove it" if named or not mixes else 'add "strategy: canary"'
        yield document.problem((*stage.path, "deploy", "shares"), message, hint, on_key=True)


def _default_strategy(pipeline: Plain, runtime: Plain, mixes: bool) -> Strategy:
    risk = get(pipeline, "risk", str)
    instances = get(runtime, "instances", int)
    return default_strategy(
        risk=Risk(risk) if risk in list(Risk) else Risk.STANDARD,
        instances=_INSTANCES if instances is None else instances,
        mixed_versions=mixes,
    )


def _shares(document: Document, stage: Item) -> Iterator[Problem]:
    """The way of a canary: shares that grow, and between two of them people who are asked once."""
    path: Path = (*stage.path, "deploy", "shares")
    largest: Share | None = None
    asked = False
    points = get(stage.keys.get("deploy"), "shares", list) or ()
    for index, point in enumerate(points):
        here = (*path, index)
        if largest == WHOLE:
            yield document.problem(here, "nothing can come after 100%", "remove it")
        elif _asks_people(point):
            if asked:
                yield document.problem(here, "two approvals without a share between them", "ask once, for more people")
            asked = True
        elif (share := _share(point)) is not None:
            if largest is not None and share <= largest:
                yield document.problem(here, f"{share} is not more than {largest} before it", "shares must grow")
            if share == WHOLE and largest is None:
                yield document.problem(here, "a canary needs a share below 100%", "name one, or use blue-green")
            if share == WHOLE and isinstance(point, dict) and "at_least" in point:
                message = "100% is the end of a rollout, not a point of it"
                yield document.problem((*here, "at_least"), message, 'see "watch" of "verify"', on_key=True)
            largest, asked = max(share, largest or share), False
    if points and all(_asks_people(point) for point in points):
        yield document.problem(path, "a canary needs a share", "name one like 5%, or use blue-green")


def _asks_people(point: Plain) -> bool:
    return isinstance(point, dict) and "approve" in point and "share" not in point


def _share(point: Plain) -> Share | None:
    text = point.get("share") if isinstance(point, dict) else point
    try:
        return canary_share(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _times(document: Document, stage: Item) -> Iterator[Problem]:
    """Verification must be given the time that it needs at least."""
    verify = stage.keys.get("verify")
    at_most = _duration(verify, "at_most")
    if at_most is None:
        return
    path = (*stage.path, "verify", "at_most")
    soak = _duration(verify, "soak")
    if soak is not None and soak > at_most:
        yield document.problem(path, "at_most is shorter than soak", "give verification the time of its soak")
    points = get(stage.keys.get("deploy"), "shares", list) or ()
    least = sum((_duration(point, "at_least") or timedelta(0) for point in points), timedelta(0))
    if least > at_most:
        message = "at_most is shorter than the shares' at_least together"
        yield document.problem(path, message, "give verification the time of its shares")


def _duration(keys: Plain, key: str) -> timedelta | None:
    text = get(keys, key, str)
    try:
        return parse_duration(text) if text is not None else None
    except (ValueError, OverflowError):
        return None


def _quantiles(document: Document, stage: Item) -> Iterator[Problem]:
    path: Path = ("verify", "metrics", "latency", "quantiles")
    before: float | None = None
    quantiles = at(dict(stage.keys), path)
    for index, quantile in enumerate(quantiles if isinstance(quantiles, list) else ()):
        if not isinstance(quantile, int | float):
            continue
        if before is not None and quantile <= before:
            message = f"{quantile} is not more than {before} before it"
            yield document.problem((*stage.path, *path, index), message, "quantiles must grow")
        before = quantile
