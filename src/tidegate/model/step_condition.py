"""Whether a step of a run is wanted: its `if`, asked about the run and the steps that it needs."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.model.condition import ConditionEvidence, NeededStep, holds
from tidegate.model.run import Run
from tidegate.model.step_run import StepRun


def is_wanted(run: Run, step: StepRun, needed: Iterable[StepRun]) -> bool:
    """Whether the step should run. Raises ConditionFailed where its condition has no answer."""
    if step.step.condition is None:
        return True
    evidence = ConditionEvidence(
        branch=run.pipeline.branch if run.pipeline else None,
        trigger=run.trigger.value,
        author=run.change.author_name,
        changed=run.changed,
        needs={one.name: NeededStep(one.state.value, one.cached_from is not None) for one in needed},
    )
    return holds(step.step.condition, evidence)
