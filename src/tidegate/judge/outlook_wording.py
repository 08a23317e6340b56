"""What a rollout can show, in words: said before it begins, with what would help where that is little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from tidegate.judge.foretelling import Outlook, Step, Traffic, outlook
from tidegate.model.pipeline import Pipeline, SharePoint, Stage, Strategy
from tidegate.model.quantity import format_duration
from tidegate.model.share import WHOLE

ENOUGH = 0.05
"""A share that shows no less than this many failures, one request in twenty, shows little."""


def foretold(pipeline: Pipeline, traffic: Mapping[str, Traffic]) -> Iterator[str]:
    """For each canary in the file: what its shares can show at the traffic of its environment, and what would help."""
    for stage in pipeline.stages:
        if known := traffic.get(stage.environment):
            yield from (f"{stage.name}: {line}" for line in foretold_of(stage, known))


def foretold_of(stage: Stage, traffic: Traffic) -> Iterator[str]:
    """The same for one stage; nothing where it has no canary that is verified."""
    steps = _steps(stage)
    if not steps:
        return
    outlooks = outlook(traffic, steps)
    yield f"{_at(traffic)}, " + "; ".join(_shown(one) for one in outlooks)
    if any(_is_little(one) for one in outlooks):
        yield _helps(stage, outlooks)


def _steps(stage: Stage) -> list[Step]:
    """The shares below all of it, each with the whole time of the verification: what one does not use, the next has."""
    if stage.deploy is None or stage.verify is None or stage.deploy.strategy is not Strategy.CANARY:
        return []
    shares = [one for one in stage.deploy.shares if isinstance(one, SharePoint) and one.share != WHOLE]
    return [Step(one.share.fraction, stage.verify.at_most.total_seconds()) for one in shares]


def _at(traffic: Traffic) -> str:
    count = f"{traffic.per_minute:,.0f}" if traffic.per_minute >= 10 else f"{traffic.per_minute:.2g}"
    return f"at {count} requests a minute of which {_percent(traffic.error_rate)} fail"


def _shown(one: Outlook) -> str:
    within = format_duration(timedelta(seconds=one.step.seconds))
    share = _percent(one.step.share)
    if one.seen is None:
        return f"{share} shows no harm at all within {within}"
    shown = f"{share} shows within {within} when {_percent(one.seen)} or more fail"
    if one.passes_after is None:
        return f"{shown}, and cannot pass in that time"
    return f"{shown}, and passes after {format_duration(timedelta(seconds=one.passes_after))} at the soonest"


def _is_little(one: Outlook) -> bool:
    return one.seen is None or one.seen > ENOUGH or one.passes_after is None


def _helps(stage: Stage, outlooks: Sequence[Outlook]) -> str:
    assert stage.verify is not None
    ways = []
    if min(one.step.share for one in outlooks) < 0.25:
        ways.append("larger shares (50%)")
    ways.append("more time (at_most)")
    if stage.verify.traffic is None:
        ways.append("synthetic requests beside the real ones (traffic)")
    ways.append("blue-green with a soak")
    if stage.verify.availability is None:
        ways.append("an objective instead of a baseline (objective)")
    return f"what would show more: {', '.join(ways[:-1])} or {ways[-1]}"


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g}%"
