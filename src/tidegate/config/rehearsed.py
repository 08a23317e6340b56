"""A service's file as it is rehearsed: the same pipeline without people, with a fault around every instance."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tidegate.config import document
from tidegate.config.tidegate_yaml import load
from tidegate.model.pipeline import Pipeline, SharePoint, Stage

AGENT_STEP = "rehearsal: the agent is killed"
MOST_SYNTHETIC_PER_SECOND = 40.0
"""A rate of synthetic requests is not raised above this: stages before users would be slow by that alone."""
_KEPT_OF_VERIFY = ("undecided", "no_data", "alerts", "objective")


@dataclass(frozen=True, slots=True)
class RehearsedFile:
    """A file to be committed for a rehearsal; `left_out` says what of the service's own is not in it."""

    text: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What instances are run by: the words of a command that is followed by the service's own, as one more word."""

    words: tuple[str, ...]

    def around(self, command: str) -> str:
        """The script that runs it."""
        return f"exec {shlex.join((*self.words, '--', command))}"


def rehearsed(text: str, wrapping: Wrapping, quick: float, agent_step: str | None = None) -> RehearsedFile:
    """The file for a rehearsal of the service whose file is `text`.

    Its times are divided by `quick`, and rates multiplied (up to MOST_SYNTHETIC_PER_SECOND). `agent_step` is the
    command of one more step of the build, before all others. Raises ConfigError.
    """
    pipeline = load(text)
    plain: Any = document.read(text, "tidegate.yaml").plain()
    kept = {key: plain[key] for key in ("service", "team", "risk", "path", "build", "runtime") if key in plain}
    kept["branch"] = "main"
    kept["runtime"] = {**kept["runtime"], "command": wrapping.around(kept["runtime"]["command"])}
    if agent_step:
        before = [{"name": AGENT_STEP, "run": agent_step, "needs": []}]
        kept["build"] = {**kept["build"], "steps": [*before, *kept["build"]["steps"]]}
    kept["stages"] = [
        _stage(written, stage, quick) for written, stage in zip(plain["stages"], pipeline.stages, strict=True)
    ]
    return RehearsedFile(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", tuple(_left_out(plain, pipeline)))


def _stage(written: dict[str, Any], stage: Stage, quick: float) -> dict[str, Any]:
    kept: dict[str, Any] = {key: written[key] for key in ("name", "environment", "needs") if key in written}
    if "steps" in written:
        kept["steps"] = [one for one in written["steps"] if not one.get("irreversible")]
    if stage.deploy:
        kept["deploy"] = {
            "strategy": stage.deploy.strategy.value,
            "keep_warm": _seconds(stage.deploy.keep_warm, quick),
        }
        if shares := [one for one in stage.deploy.shares if isinstance(one, SharePoint)]:
            kept["deploy"]["shares"] = [
                {"share": f"{100 * one.share.fraction:.6g}%", "at_least": _seconds(one.at_least, quick)}
                for one in shares
            ]
    if stage.verify:
        kept["verify"] = _verify(written["verify"], stage, quick)
    return kept


def _verify(written: dict[str, Any], stage: Stage, quick: float) -> dict[str, Any]:
    rule = stage.verify
    assert rule is not None
    kept: dict[str, Any] = {key: written[key] for key in _KEPT_OF_VERIFY if key in written}
    kept |= {name: _seconds(getattr(rule, name), quick) for name in ("soak", "at_most", "watch")}
    if rule.traffic:
        own = rule.traffic.per_second
        rate = min(own * quick, max(own, MOST_SYNTHETIC_PER_SECOND))
        kept["traffic"] = {"path": rule.traffic.path, "rate": f"{rate:.6f}/s"}
    if rule.checks:
        kept["checks"] = [
            {**one, "every": _seconds(check.repeat.every, quick)}
            for one, check in zip(written["checks"], rule.checks, strict=True)
            if check.repeat
        ]
    if "latency" in (metrics := written.get("metrics") or {}):
        kept["metrics"] = {"latency": metrics["latency"]}
    return kept


def _seconds(time: timedelta, quick: float) -> str:
    return f"{time.total_seconds() / quick:.3f}s"


def _left_out(plain: dict[str, Any], pipeline: Pipeline) -> Iterator[str]:
    for key in ("cadence", "batch", "train", "requires"):
        if plain.get(key):
            yield f"its {key}"
    if gated := [stage["name"] for stage in plain["stages"] if stage.get("gate")]:
        yield f"the gates of {_listed(gated)}"
    if final := [step.name for stage in pipeline.stages for step in stage.steps if step.irreversible]:
        yield f"the steps {_listed(final)}, which cannot be undone"
    if hooked := [stage.name for stage in pipeline.stages if stage.deploy and stage.deploy.after_rollback]:
        yield f"what runs after a rollback in {_listed(hooked)}"
    if loaded := [stage.name for stage in pipeline.stages if stage.verify and stage.verify.load]:
        yield f"the load checks of {_listed(loaded)}, which would measure the proxies around the instances"
    own = {rule.name for stage in pipeline.stages if stage.verify for rule in stage.verify.metrics}
    if own:
        yield f"the metrics {_listed(sorted(own))}, whose source does not know a rehearsal's deployments"
    points = (point for stage in pipeline.stages if stage.deploy for point in stage.deploy.shares)
    if any(not isinstance(point, SharePoint) for point in points):
        yield "approvals between shares"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
