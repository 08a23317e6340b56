"""Results of steps that are kept, and the keys by which a run asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.model.agent import Agent
from tidegate.model.ids import RunId, ServiceName, StepName, StepRunId
from tidegate.model.lease import StepReport
from tidegate.model.run import Run
from tidegate.model.step_environment import run_variables
from tidegate.model.step_inputs import variables_in
from tidegate.model.step_key import StepMaterial, made_by
from tidegate.model.step_queue import platforms_for
from tidegate.model.step_run import BUILD, AttemptId, StepRun, StepState


@dataclass(frozen=True, slots=True)
class CachedResult:
    """What a step that succeeded made, under its key. `size` counts the bytes that only the cache keeps for it."""

    key: str
    service: ServiceName
    run: RunId
    step_run: StepRunId
    attempt: int
    report: StepReport
    size: int
    made_at: datetime
    used_at: datetime

    @property
    def source(self) -> AttemptId:
        """The attempt that made it."""
        return AttemptId(self.run, self.step_run, self.attempt)


def with_keys(run: Run, steps: Sequence[StepRun], agents: Sequence[Agent]) -> tuple[StepRun, ...]:
    """The steps, each that has inputs and whose needs are settled with its key; `agents` are all that are known."""
    by_name = {step.name: step for step in steps if step.scope == BUILD}
    return tuple(_with_key(run, step, by_name, agents) for step in steps)


def _with_key(run: Run, step: StepRun, by_name: Mapping[StepName, StepRun], agents: Sequence[Agent]) -> StepRun:
    if step.files is None or step.state is not StepState.WAITING:
        return step
    needed = [by_name[name] for name in step.step.needs]
    if not all(one.is_settled for one in needed):
        return step
    assert run.pipeline is not None
    known = run_variables(run, step)
    material = StepMaterial(
        service=run.service,
        step=step.step,
        setup=run.pipeline.build.setup,
        files=step.files,
        needs={one.name: made_by(one.report) for one in needed},
        variables={name: known.get(name, "") for name in variables_in(step.step.inputs)},
        platforms=platforms_for(step.step.labels, agents),
    )
    return replace(step, key=material.key)
