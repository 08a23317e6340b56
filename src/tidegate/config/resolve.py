"""From the sections of a valid `tidegate.yaml` to the model's pipeline, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from tidegate.config import cadence_resolve, time_resolve
from tidegate.config.gate_sections import ApprovalsSection, GateSection
from tidegate.config.policy_sections import policies
from tidegate.config.resolve_steps import build, hook_steps, stage_steps
from tidegate.config.sections import (
    DeploySection,
    PipelineSection,
    RuntimeSection,
    ShareSection,
    StageSection,
    VerifySection,
)
from tidegate.model.cadence import Cadence
from tidegate.model.gate_rules import THE_FILE, ApprovalGroup, ApprovalRule, GateRules
from tidegate.model.ids import EnvironmentName, ServiceName, StageName
from tidegate.model.pipeline import (
    ApprovalPoint,
    DeployRule,
    Health,
    LatencyRule,
    Pipeline,
    Risk,
    RolloutPoint,
    Runtime,
    SharePoint,
    Stage,
    Strategy,
    SyntheticTraffic,
    VerifyRule,
)
from tidegate.model.recording import Method
from tidegate.model.share import WHOLE, Share

CANARY_SHARES = tuple(SharePoint(Share.percent(percent)) for percent in (5, 25, 50))
"""A canary's way where the file names none."""

KEEP_WARM = {
    Strategy.CANARY: timedelta(minutes=15),
    Strategy.BLUE_GREEN: timedelta(minutes=15),
    Strategy.ROLLING: timedelta(0),
}
"""How long the old deployment stays whole where the file does not say."""


def default_strategy(risk: Risk, instances: int, mixed_versions: bool) -> Strategy:
    """How a placement moves where the file names no strategy."""
    if not mixed_versions or instances == 1:
        return Strategy.BLUE_GREEN
    return Strategy.CANARY if risk is Risk.HIGH else Strategy.ROLLING


def pipeline(section: PipelineSection) -> Pipeline:
    """The pipeline that a file describes; the file must be free of problems."""
    runtime = _runtime(section.runtime) if section.runtime else None
    stages: list[Stage] = []
    for stage in section.stages:
        before = (stages[-1].name,) if stages else ()
        last = section.stages[-1].environment
        stages.append(_stage(stage, before, last, section.risk, runtime, section.requires))
    return Pipeline(
        service=section.service,
        team=section.team,
        risk=section.risk,
        mode=section.mode,
        branch=section.branch,
        path=section.path,
        build=build(section.build),
        runtime=runtime,
        stages=tuple(stages),
        cadence=cadence_resolve.cadence(section.cadence) if section.cadence else Cadence(),
        batch=cadence_resolve.batch(section.batch) if section.batch else None,
        train=section.train,
        rehearsals=section.rehearsals.rehearsals() if section.rehearsals else None,
    )


def _runtime(section: RuntimeSection) -> Runtime:
    return Runtime(
        command=section.command,
        artifact=section.artifact,
        prepare=section.prepare,
        health=Health(section.health.path, section.health.within),
        instances=section.instances,
        stop_grace=section.stop_grace,
        env=dict(section.env),
        secrets=tuple(section.secrets),
        mixed_versions=section.mixed_versions,
    )


def _stage(
    section: StageSection,
    before: tuple[StageName, ...],
    last: EnvironmentName,
    risk: Risk,
    runtime: Runtime | None,
    requires: Mapping[ServiceName, str],
) -> Stage:
    return Stage(
        name=section.name,
        environment=section.environment,
        needs=before if section.needs is None else tuple(section.needs),
        gate=gate_rules(section.gate, requires=requires),
        deploy=_deploy(section.deploy, risk, runtime) if runtime else None,
        steps=stage_steps(section.steps),
        verify=_verify(section.verify, last) if section.verify else None,
    )


def gate_rules(
    section: GateSection, source: str = THE_FILE, requires: Mapping[ServiceName, str] | None = None
) -> GateRules:
    """The rules of a gate, as one source of them demands; `requires` is what the whole file asks of other services."""
    return GateRules(
        approvals=_approvals(section.approvals) if section.approvals else None,
        windows=tuple(time_resolve.window(one) for one in section.window),
        schedule=time_resolve.schedule(section.schedule) if section.schedule else None,
        external=time_resolve.external(section.external) if section.external else None,
        requires=cadence_resolve.requirements(requires or {}, section.requires),
        source=source,
        policies=policies(section.policy),
    )


def _approvals(section: ApprovalsSection) -> ApprovalRule:
    return ApprovalRule(
        count=section.count,
        expires=section.expires,
        sources=section.sources,
        all_of=tuple(ApprovalGroup(one.count, one.sources) for one in section.all_of),
        not_author=section.not_author,
        not_trigger=section.not_trigger,
        comment=section.comment,
        delegates=section.delegate,
    )


def _deploy(section: DeploySection, risk: Risk, runtime: Runtime) -> DeployRule:
    strategy = section.strategy or default_strategy(risk, runtime.instances, runtime.mixed_versions)
    shares: tuple[RolloutPoint, ...] = ()
    if strategy is Strategy.CANARY:
        points = (_point(point) for point in section.shares or ())
        # every rollout ends at 100% by itself, so a file that writes it says nothing more
        shares = tuple(point for point in points if point != SharePoint(WHOLE)) or CANARY_SHARES
    keep_warm = KEEP_WARM[strategy] if section.keep_warm is None else section.keep_warm
    hooks = hook_steps(section.hooks.after_rollback) if section.hooks else ()
    return DeployRule(strategy, shares, keep_warm, hooks)


def _point(section: ShareSection) -> RolloutPoint:
    if section.share is not None:
        return SharePoint(section.share, section.at_least or timedelta(0))
    assert section.approve is not None
    return ApprovalPoint(section.approve)


def _verify(section: VerifySection, last: EnvironmentName) -> VerifyRule:
    default = VerifyRule()
    latency = section.metrics.latency
    return VerifyRule(
        soak=section.soak,
        at_most=section.at_most or max(default.at_most, 2 * section.soak),
        watch=section.watch,
        traffic=SyntheticTraffic(section.traffic.path, section.traffic.rate) if section.traffic else None,
        checks=tuple(one.step() for one in section.checks),
        load=section.load.step(last) if section.load else None,
        latency=LatencyRule(tuple(latency.quantiles), latency.tolerance),
        availability=section.objective.availability,
        undecided=section.undecided,
        no_data=section.no_data,
        alerts=section.alerts,
        blind=section.blind,
        blind_after=section.blind_after,
        metrics=section.rules(),
        method=section.method,
        mann_whitney=section.score() if section.method is Method.MANN_WHITNEY else default.mann_whitney,
    )
