"""A step whose turn it is, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tidegate.builder.kept_result import KeptResult
from tidegate.builder.stamps import Stamps
from tidegate.builder.tree_memory import StepMemory
from tidegate.builder.view import StepEnd
from tidegate.model.pipeline import Step
from tidegate.model.step_key import made_by
from tidegate.model.step_run import StepState

FORCED, UNKNOWN_NEEDS = "forced", "unknown needs"
"""Why a step ran although nothing that it depends on may have changed; see `explanation`."""


@dataclass(frozen=True, slots=True)
class Job:
    """A step whose turn it is. `parts` and `key` are None where its result is not kept; `found` is what the cache has.

    `memory` is what is remembered of it from earlier builds; `why` names the reason to run that no key tells.
    """

    step: Step
    memory: StepMemory
    parts: dict[str, Any] | None = None
    key: str | None = None
    found: KeptResult | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was performed. `made` is the digest of what it made, None where that is not known.

    `added` counts the bytes that the cache grew by.
    """

    step: Step
    end: StepEnd
    memory: StepMemory
    made: str | None = ""
    added: int = 0


def restored(job: Job, kept: KeptResult, placed: Stamps, seconds: float) -> Done:
    """A step whose result is in place without its command."""
    memory = replace(job.memory, key=job.key or "", kept=kept, placed=placed)
    memory = replace(memory, state=StepState.SUCCEEDED, has_run=False, cached=True, why="", failed=())
    end = StepEnd(
        job.step.name,
        StepState.SUCCEEDED,
        cached=True,
        seconds=seconds,
        report=kept.report,
        origin=kept.origin,
        artifact_paths=kept.artifact_paths,
    )
    return Done(job.step, end, memory, made_by(kept.report))


def without_running(step: Step, memory: StepMemory, state: StepState, detail: str = "") -> Done:
    """A step that ends without its command and without a result."""
    end = StepEnd(step.name, state, detail=detail, may_fail=step.allow_failure)
    return Done(step, end, replace(memory, state=state, has_run=False, cached=False, why=detail))
