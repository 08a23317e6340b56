"""A drill: a rollback that is practised. A release is deployed, taken back, and what serves afterwards is checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.model.actor import Actor
from tidegate.model.deployment import Deployment
from tidegate.model.ids import (
    Commit,
    DeploymentId,
    EnvironmentName,
    PlacementId,
    ReleaseId,
    RolloutId,
    RunId,
    ServiceName,
)
from tidegate.model.installation import Installation, InstallationState, Routing
from tidegate.model.release import Release
from tidegate.model.rollout import Cause, Rollout, RolloutState, RolloutStep
from tidegate.model.run import Run
from tidegate.model.share import NONE, WHOLE

AT_MOST = timedelta(minutes=30)
"""How long a drill may take in all; then it is given up, and that is what went wrong."""

CAUSE = "a drill"


class DrillState(StrEnum):
    """How a drill stands."""

    GOES_ON = "goes_on"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Drill:
    """A rollback that was practised, by the run that deployed `commit` for it.

    `seconds` is the time from the decision to go back until all traffic was back, `whole_seconds` until all instances
    of the old deployment served; `went_wrong` says what did.
    """

    run: RunId
    placement: PlacementId
    service: ServiceName
    environment: EnvironmentName
    by: Actor
    began_at: datetime
    release: ReleaseId
    commit: Commit
    good_commit: Commit
    state: DrillState = DrillState.GOES_ON
    rollout: RolloutId | None = None
    deployed_at: datetime | None = None
    seconds: float | None = None
    whole_seconds: float | None = None
    went_wrong: tuple[str, ...] = ()
    ended_at: datetime | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it is over."""
        return self.state is not DrillState.GOES_ON


@dataclass(frozen=True, slots=True)
class Seen:
    """What the target and the router say when the drill is over; None where they cannot be asked."""

    installation: Installation | None
    routing: Routing | None


def drill_plan(plan: Sequence[RolloutStep], *, protected: bool) -> tuple[RolloutStep, ...]:
    """How far a drill goes: to all of the traffic at once, and where it is protected to the first share of the plan."""
    last = plan[-1]
    first = plan[0] if protected else RolloutStep(WHOLE, last.new_instances, plan[0].old_instances)
    return (replace(first, judged=False, at_least=timedelta(0), approvals=0),)


def choose_release(releases: Iterable[tuple[Release, Deployment | None]], serving: Deployment) -> Release | None:
    """The newest release that does not serve and was not taken back for cause; each with what it was there."""
    for release, known in releases:
        if release.id != serving.release and not (known and known.is_quarantined):
            return release
    return None


def is_too_late(drill: Drill, now: datetime) -> bool:
    """Whether it is to be given up."""
    return now >= drill.began_at + AT_MOST


def ended(
    drill: Drill, run: Run, rollout: Rollout | None, good: Deployment | None, seen: Seen, now: datetime
) -> Drill | None:
    """The drill as it is when it is over, None while it goes on; `good` is the deployment that it went back to."""
    if rollout is None:
        if not run.status.is_ended:
            return None
        why = "; ".join(reason.text for reason in run.because) or f"its run {run.status.value}"
        return replace(drill, state=DrillState.FAILED, went_wrong=(f"nothing was deployed: {why}",), ended_at=now)
    if not rollout.state.is_ended:
        return None
    wrong = tuple(_went_wrong(rollout, good, seen))
    decided = rollout.decided_at
    return replace(
        drill,
        state=DrillState.FAILED if wrong else DrillState.PASSED,
        # what served when its gate opened at last, which may be another than when it was asked for
        good_commit=good.commit if good else drill.good_commit,
        rollout=rollout.id,
        deployed_at=rollout.step_since,
        seconds=_seconds(decided, rollout.routed_at),
        whole_seconds=_seconds(decided, rollout.ended_at),
        went_wrong=wrong,
        ended_at=now,
    )


def _went_wrong(rollout: Rollout, good: Deployment | None, seen: Seen) -> Iterable[str]:
    if rollout.state is not RolloutState.ROLLED_BACK:
        yield "it was not taken back"
        return
    cause = rollout.cause or Cause("", for_cause=False)
    if cause.text != CAUSE:
        yield f"it went back before it was to: {cause.text}"
    if good is None:
        yield "there is nothing that it could go back to"
        return
    yield from _not_serving(good.id, seen.routing)
    healthy = len(seen.installation.healthy) if seen.installation else 0
    wanted = good.runtime.instances
    if seen.installation is None:
        yield f"the target does not answer, so nobody knows how {good.label} is"
    elif seen.installation.state is not InstallationState.READY or healthy < wanted:
        yield f"{healthy} of {wanted} instances of {good.label} are healthy"


def _not_serving(good: DeploymentId, routing: Routing | None) -> Iterable[str]:
    if routing is None:
        yield "the router does not say where the traffic goes"
        return
    others = [route.deployment for route in routing.routes if route.share > NONE and route.deployment != good]
    if others or not any(route.deployment == good and route.share == WHOLE for route in routing.routes):
        yield f"the traffic does not all go to the last good deployment: {', '.join(others) or 'nothing serves'}"


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None
