"""Which step an agent may begin by itself, once the one before it has succeeded there: one about which nothing is left
to decide by then, so that it need not wait for the server to say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease
from tidegate.model.step_run import BUILD, StepRun, StepState

PROMISED_FOR = timedelta(seconds=2)
"""So long a promise holds, by the agent's clock from when it came. Later others may be waiting, or somebody may have
cancelled: the agent asks then, as ever. A step that takes longer than this gains nothing by it."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The lease that an agent will have as soon as the step `after` has succeeded on it."""

    after: StepRunId
    lease: Lease


def follower_of(step: StepRun, steps: Iterable[StepRun]) -> StepRun | None:
    """The step that becomes ready by the success of this one, which runs, whatever is known by then.

    None where there are several that need it, where the one needs others that are not settled, has an `if`, a group
    or a key, or would find outputs that this one has not made yet. Steps of stages are left out: between two of them
    the environment may change.
    """
    needing = [one for one in steps if one.scope == step.scope and step.name in one.step.needs]
    if step.scope != BUILD or step.step.outputs or len(needing) != 1:
        return None
    (follower,) = needing
    needed = {one.name: one for one in steps if one.scope == step.scope}
    others = (needed[name] for name in follower.step.needs if name != step.name)
    is_certain = (
        follower.state is StepState.WAITING
        and follower.files is None
        and follower.step.condition is None
        and follower.step.concurrency is None
        and all(one.is_settled for one in others)
    )
    return follower if is_certain else None
