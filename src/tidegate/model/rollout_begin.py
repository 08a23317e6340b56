"""The beginning of a rollout: of a release through an opened gate, or of a person's rollback."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from tidegate.model.deployment import Deployment, deployment_id
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import DeploymentId, RolloutId
from tidegate.model.pipeline import DeployRule, Runtime, Stage, Strategy, VerifyRule
from tidegate.model.placement import Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Cause, Rollout, RolloutKind, RolloutState, plan_rollout


@dataclass(frozen=True, slots=True)
class Beginning:
    """A new rollout, the deployment that it installs, and the placement that it owns from now on."""

    rollout: Rollout
    deployment: Deployment
    placement: Placement


@dataclass(frozen=True, slots=True)
class Opening:
    """A gate that opened: the rollout that it allows, to where, and who or what opened it."""

    rollout: RolloutId
    stage: Stage
    opened_by: str
    now: datetime


def config_hash(runtime: Runtime) -> str:
    """The hash of a resolved configuration, in hexadecimal: the same configuration gives the same deployment."""
    document = json.dumps(asdict(runtime), sort_keys=True, default=str)
    return hashlib.sha256(document.encode()).hexdigest()


def deployment_for(release: Release, placement: Placement) -> DeploymentId:
    """Which deployment the release is in this placement's environment."""
    assert release.pipeline.runtime is not None
    return deployment_id(placement.environment, release.id, config_hash(release.pipeline.runtime))


def begin_release(
    opening: Opening, release: Release, placement: Placement, known: Deployment | None, old: Deployment | None
) -> Beginning:
    """The rollout of a release through an opened gate.

    `known` is the deployment that it was there before, `old` the one that serves; begun again by a person's word, a
    quarantined one is quarantined no more.
    """
    runtime = release.pipeline.runtime
    assert runtime is not None
    stage = opening.stage
    rule = stage.deploy or DeployRule(Strategy.BLUE_GREEN)
    verify = stage.verify or (VerifyRule() if rule.strategy is Strategy.CANARY else None)
    deployment = known or Deployment(
        id=deployment_for(release, placement),
        placement=placement.id,
        release=release.id,
        commit=release.change.commit,
        order=release.order,
        runtime=runtime,
        created_at=opening.now,
    )
    deployment = replace(deployment, quarantined_at=None, quarantined_because=None)
    began = Rollout(
        id=opening.rollout,
        placement=placement.id,
        kind=RolloutKind.RELEASE,
        new=deployment.id,
        old=old.id if old else None,
        began_at=opening.now,
        strategy=rule.strategy,
        plan=plan_rollout(rule, runtime.instances, verify, old=old.runtime.instances if old else 0),
        verify=verify,
        keep_warm=rule.keep_warm,
        run=release.run,
        stage=stage.name,
        opened_by=opening.opened_by,
        needs_steps=any(step.load is None and not step.irreversible for step in stage.all_steps),
    )
    newest = max(placement.highest_order, release.order)
    return Beginning(began, deployment, replace(placement, rollout=began.id, highest_order=newest, wake_at=opening.now))


def begin_return(
    rollout: RolloutId, placement: Placement, back_to: Deployment | None, cause: Cause, now: datetime
) -> tuple[Rollout, Placement]:
    """A person's rollback of a placement at rest, to a deployment or (`back_to` None) to nothing."""
    began = Rollout(
        id=rollout,
        placement=placement.id,
        kind=RolloutKind.ROLLBACK if back_to else RolloutKind.STOP,
        new=placement.serving,
        old=back_to.id if back_to else None,
        began_at=now,
        strategy=Strategy.BLUE_GREEN,
        plan=(),
        keep_warm=timedelta(0),
        state=RolloutState.MOVING,
        rollback_asked=cause,
    )
    return began, replace(placement, rollout=began.id, wake_at=now)


def end_of_watch(placement: Placement, ended: Rollout) -> Event:
    """What is told of a rollout that was only watched any more when the next one began."""
    about = {"service": str(placement.service), "environment": str(placement.environment), "rollout": str(ended.id)}
    about |= {"run": str(ended.run)} if ended.run else {}
    about |= {"deployment": str(ended.new)} if ended.new else {}
    text = f"{placement.environment}: the rollout succeeded and gives way to the next one"
    return Event(EventKind.ROLLOUT_ENDED, text, about)
