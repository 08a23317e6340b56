"""A rollout that holds, as a decision on a run's page: what is known, what is not, and the three ways on."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.verdict import MetricFinding, Verdict
from tidegate.web.wording import figure

_NOTHING = "nothing that excludes harm"


@dataclass(frozen=True, slots=True)
class HoldView:
    """`unknown` says what is not known and how long until it would be; the commands are those of the buttons."""

    share: str
    known: str
    unknown: str
    promote: str
    cancel: str
    watch: str

    @property
    def commands(self) -> frozenset[str]:
        """The three ways on, as commands."""
        return frozenset((self.promote, self.cancel, self.watch))


def hold_view(rollout: Rollout | None) -> HoldView | None:
    """The decision where the rollout holds; None where it does not, or nobody is asked."""
    if rollout is None or rollout.run is None or rollout.state is not RolloutState.JUDGING or not rollout.holds_because:
        return None
    metrics = rollout.judgement.metrics if rollout.judgement else ()
    known = [_finding(one) for one in metrics if one.verdict is Verdict.PASS and not one.is_only_told]
    return HoldView(
        share=str(rollout.plan[rollout.step].share),
        known="; ".join(known) or _NOTHING,
        unknown=rollout.holds_because,
        promote=f"tidegate promote {rollout.run}",
        cancel=f"tidegate cancel {rollout.run}",
        watch=f"tidegate watch {rollout.run} --wait",
    )


def _finding(one: MetricFinding) -> str:
    return f"{one.name} {figure(one.canary, one.unit)}, against {figure(one.baseline, one.unit)}"
