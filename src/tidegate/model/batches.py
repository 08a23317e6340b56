"""Snapshots of counters → the batches that a judge looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tidegate.model.figures import Batch, Counters, Snapshot
from tidegate.model.ids import DeploymentId


@dataclass(frozen=True, slots=True)
class LabelledSnapshot:
    """A snapshot and where its rollout was when it was taken.

    `may_begin` says that what comes after it counts: the shares are confirmed and the warm-up is over. It is False
    for the last snapshot before a change of shares, so that what happens during the change is in no batch.
    """

    snapshot: Snapshot
    step: int
    may_begin: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which what is counted says nothing of the users' requests; `end` is None while it goes on."""

    begin: datetime
    end: datetime | None = None

    def touches(self, begin: datetime, end: datetime) -> bool:
        """Whether a part of that time is in it."""
        return end > self.begin and (self.end is None or begin < self.end)


def labelled(taken: Sequence[tuple[int, Snapshot]], pause: Pause | None = None) -> tuple[LabelledSnapshot, ...]:
    """Snapshots with the steps at which they were taken, ordered by time; none is followed by a batch in a pause."""
    followed = [after.at for _, after in taken[1:]]
    ends: list[datetime | None] = [*followed, None]
    return tuple(
        LabelledSnapshot(one, step, not (pause and end and pause.touches(one.at, end)))
        for (step, one), end in zip(taken, ends, strict=False)
    )


def cut_batches(
    snapshots: Sequence[LabelledSnapshot], canary: DeploymentId, baseline: DeploymentId | None
) -> tuple[Batch, ...]:
    """The batches between consecutive snapshots (ordered by time), each at one step and one confirmed split.

    A side is None where either snapshot lacks it, where one of its counters went backwards, and always for a
    baseline that does not exist.
    """
    return tuple(
        Batch(
            begin=before.snapshot.at,
            end=after.snapshot.at,
            step=before.step,
            canary=_counted(before.snapshot, after.snapshot, canary),
            baseline=_counted(before.snapshot, after.snapshot, baseline),
        )
        for before, after in pairwise(snapshots)
        if belong_together(before, after)
    )


def belong_together(before: LabelledSnapshot, after: LabelledSnapshot) -> bool:
    """Whether what happened between two snapshots happened at one step and one unchanged split."""
    return (
        before.may_begin
        and before.step == after.step
        and before.snapshot.generation == after.snapshot.generation
        and before.snapshot.at < after.snapshot.at
    )


def _counted(before: Snapshot, after: Snapshot, deployment: DeploymentId | None) -> Counters | None:
    if deployment is None or deployment not in before.deployments or deployment not in after.deployments:
        return None
    return after.deployments[deployment].since(before.deployments[deployment])
