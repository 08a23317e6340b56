"""What ends the waiting of a run: the command, or the thing that has to happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tidegate.model.ids import split_placement
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import Run, RunStatus, StageRun, StageState
from tidegate.model.service import Service


@dataclass(frozen=True, slots=True)
class NextAct:
    """What a run waits for (`text`), and the command that ends it where there is one."""

    text: str
    command: str | None = None


def next_acts(
    run: Run, service: Service | None, stages: Sequence[StageRun], rollouts: Sequence[Rollout]
) -> tuple[NextAct, ...]:
    """Everything that somebody can do, or wait for, so that the run goes on; each once."""
    return tuple(dict.fromkeys(_acts(run, service, stages, rollouts)))


def _acts(
    run: Run, service: Service | None, stages: Sequence[StageRun], rollouts: Sequence[Rollout]
) -> Iterator[NextAct]:
    if run.status.is_ended:
        yield from _after_the_end(run, service)
    else:
        if run.held_by:
            yield NextAct(f"held by {run.held_by}", f"tidegate resume {run.id}")
        for stage in stages:
            if stage.state is StageState.GATE and stage.gate:
                for reason in stage.gate.blocking:
                    if reason.rule != "hold":
                        named = reason.of(run.service, run.label, stage.environment)
                        yield NextAct(f"{stage.name}: {named.text}", named.remedy)
    for rollout in rollouts:
        yield from _of_rollout(run, rollout)


def _after_the_end(run: Run, service: Service | None) -> Iterator[NextAct]:
    if run.status is RunStatus.SUCCEEDED or service is None or service.removed_at:
        return
    if run.pipeline is None:
        yield from (NextAct(reason.text, reason.remedy) for reason in run.because)
        return
    yield NextAct("to try again what did not pass", f"tidegate retry {run.id}")
    if service.line_stopped_because:
        yield NextAct(service.line_stopped_because, f"tidegate service resume {service.name}")


def _of_rollout(run: Run, rollout: Rollout) -> Iterator[NextAct]:
    if rollout.held_at_floor:
        _, environment = split_placement(rollout.placement)
        why = rollout.held_at_floor.text
        text = f"{rollout.stage} should go back and cannot ({why}): release what mends it; this says why"
        yield NextAct(text, f"tidegate floor {run.service} --env {environment}")
    if rollout.state is RolloutState.ASKING:
        following = rollout.plan[rollout.step + 1]
        people = "one approval" if following.approvals == 1 else f"{following.approvals} approvals"
        yield NextAct(f"{rollout.stage}: {people} before the share of {following.share}", f"tidegate approve {run.id}")
    elif rollout.state is RolloutState.JUDGING and rollout.holds_because:
        yield NextAct(f"{rollout.stage} holds: {rollout.holds_because}. To go on", f"tidegate promote {run.id}")
        yield NextAct("to go back", f"tidegate cancel {run.id}")
        yield NextAct("to wait: it goes on by itself once that is known", f"tidegate watch {run.id} --wait")
