"""The seam between the engine and the way in which figures are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.model.figures import Batch
from tidegate.model.metric import HistoryBatch, MetricSeries
from tidegate.model.pipeline import VerifyRule
from tidegate.model.usual import NOTHING_USUAL, Usual
from tidegate.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged: all batches of a rollout so far, in order, and the step that it is at.

    Evidence of harm is collected over the whole rollout; evidence for passing is taken from the batches of `step`.
    """

    batches: Sequence[Batch]
    step: int
    rule: VerifyRule
    expects_baseline: bool = True
    """Whether the old deployment has a share of the traffic at `step`; False for a first release and at 100%."""

    metrics: Sequence[MetricSeries] = ()
    """What sources beside the router said of the metrics of `rule`."""

    history: Mapping[str, Sequence[HistoryBatch]] = field(default_factory=dict)
    """What each metric showed lately while nothing was wrong: `errors`, `latency`, and those of `rule`."""

    usual: Usual = NOTHING_USUAL
    """What the placement showed at each time of the day on the days before, whatever served there."""


class Judge(Protocol):
    """Turns figures into a verdict. Pure: the same case gives the same judgement."""

    def judge(self, case: Case) -> Judgement:
        """The verdict on the new deployment after the last batch; asked again after every batch."""
