"""Which windows of a rollout a metric is read of, and what its counts are counts of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from tidegate.model.batches import LabelledSnapshot, belong_together
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.ids import DeploymentId
from tidegate.model.metric import Counted, Figures, MetricRule, NoFigures

SLACK = 0.1
"""So much more than all of them may be counted, because a source and the router look at different moments."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time at one step and one unchanged split of the traffic, between two snapshots."""

    first: Snapshot
    last: Snapshot
    step: int

    @property
    def begin(self) -> datetime:
        """Its first moment."""
        return self.first.at

    @property
    def end(self) -> datetime:
        """Its last moment."""
        return self.last.at

    def requests(self, deployment: DeploymentId) -> int | None:
        """How many requests the router counted for the deployment; None where that is not known."""
        before, after = self.first.deployments.get(deployment), self.last.deployments.get(deployment)
        counted: Counters | None = after.since(before) if before and after else None
        return counted.requests if counted else None


def windows_to_read(
    snapshots: Sequence[LabelledSnapshot],
    rule: MetricRule,
    read: Collection[datetime],
    now: datetime,
    growing: Collection[int] = (),
) -> tuple[Window, ...]:
    """The windows of a metric that are over and were not read yet; `read` holds where those begin that were.

    They are cut at snapshots, always in the same way: each is as short as it can be and at least the rule's `window`
    long. What is left of a step after its last whole window is in none, and neither is the time that the rule settles
    for at the beginning of a step of `growing`, with which instances are added.
    """
    found = chain.from_iterable(_windows(part, rule, growing) for part in _unchanged(snapshots))
    return tuple(one for one in found if one.begin not in read and one.end + rule.delay <= now)


def _unchanged(snapshots: Sequence[LabelledSnapshot]) -> Iterator[list[LabelledSnapshot]]:
    """The snapshots in parts of one step and one split each."""
    part: list[LabelledSnapshot] = []
    for one in snapshots:
        if part and not belong_together(part[-1], one):
            yield part
            part = []
        part.append(one)
    yield part


def _windows(part: Sequence[LabelledSnapshot], rule: MetricRule, growing: Collection[int]) -> Iterator[Window]:
    first: LabelledSnapshot | None = None
    for one in part:
        settles_for = rule.settles_for if one.step in growing else timedelta(0)
        if one.snapshot.at - part[0].snapshot.at < settles_for:
            continue
        if first is None:
            first = one
        elif one.snapshot.at - first.snapshot.at >= rule.window:
            yield Window(first.snapshot, one.snapshot, one.step)
            first = one


def of_requests(figures: Figures, requests: int | None) -> Figures | NoFigures:
    """The figures, where they are bare counts with what they are counts of.

    A count of events that happen several times a request is no share of them; a little more than all, which a source
    may count that looks at other moments than the router, is all.
    """
    if not isinstance(figures, Counted):
        return figures
    of = figures.n if figures.n is not None else requests
    if of is None:
        return NoFigures("the router has no count of its requests")
    if figures.x > of + max(1.0, SLACK * of):
        return NoFigures(
            f"it counts {figures.x:g} among {of:g}; a rate is a share of them: name what is counted with `total`"
        )
    return replace(figures, x=min(figures.x, float(of)), n=float(of))
