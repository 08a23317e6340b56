"""Values of the model, for the store's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.change import Change
from tidegate.model.deployment import Deployment
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.figures import Counters
from tidegate.model.freeze import Freeze
from tidegate.model.ids import (
    Commit,
    DeploymentId,
    Digest,
    EnvironmentName,
    PlacementId,
    ReleaseId,
    RolloutId,
    RunId,
    ServiceName,
    StageName,
    StepName,
)
from tidegate.model.installation import Endpoint
from tidegate.model.lease import BuiltFile
from tidegate.model.origin import Given, Origin
from tidegate.model.pipeline import (
    ApprovalPoint,
    Build,
    DeployRule,
    Pipeline,
    Runtime,
    SharePoint,
    Stage,
    Step,
    Strategy,
    SyntheticTraffic,
    VerifyRule,
)
from tidegate.model.placement import Arrangement, Part, Placement
from tidegate.model.release import Release
from tidegate.model.rollout import Cause, Rollout, RolloutKind, plan_rollout
from tidegate.model.run import Run, Trigger
from tidegate.model.share import WHOLE, Share

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, UTC)
ALICE = Actor(ActorKind.PERSON, "alice")
SHOP = ServiceName("shop")
HERE = PlacementId("shop/production")


def a_pipeline() -> Pipeline:
    """One with every kind of nested value."""
    rule = DeployRule(Strategy.CANARY, (SharePoint(Share.percent(5)), ApprovalPoint(1), SharePoint(Share.percent(50))))
    verify = VerifyRule(soak=timedelta(seconds=30), traffic=SyntheticTraffic("/", 5.0), availability=0.999)
    step = Step(StepName("unit tests"), "true", env={"A": "b"}, artifacts={"shop": "dist/*.whl"})
    stage = Stage(StageName("production"), EnvironmentName("production"), deploy=rule, verify=verify)
    return Pipeline(SHOP, build=Build((step,)), runtime=Runtime("run", env={"X": "1"}), stages=(stage,))


def a_run(number: int = 1) -> Run:
    """A run of the number-th commit."""
    commit = Commit(f"{number:040x}")
    return Run(
        id=RunId(f"run{number:04}"),
        service=SHOP,
        change=Change(commit, "Ann Müller", "ann@example.com", NOW, "Prices: größer", (Commit("0" * 40),)),
        order=number,
        trigger=Trigger.PUSH,
        created_at=NOW,
        pipeline=a_pipeline(),
    )


def a_release() -> Release:
    """A package, and an image that was made from it."""
    package = BuiltFile("shop", "shop.whl", Digest(f"sha256:{'a' * 64}"), 10, handed_on=True)
    image = BuiltFile("image", "image.tar", Digest(f"sha256:{'b' * 64}"), 20)
    given = Given(StepName("package"), Digest(f"sha256:{'c' * 64}"), {"shop": package.digest})
    return Release(
        id=ReleaseId("v1"),
        service=SHOP,
        run=a_run().id,
        order=1,
        created_at=NOW,
        change=a_run().change,
        pipeline=a_pipeline(),
        artifacts=(package, image),
        origins=(Origin("shop", StepName("package"), ()), Origin("image", StepName("image"), (given,))),
    )


def a_deployment(name: str = "v1") -> Deployment:
    """A deployment in production."""
    return Deployment(
        id=DeploymentId(f"production-{name}"),
        placement=HERE,
        release=ReleaseId(name),
        commit=Commit("a" * 40),
        order=1,
        runtime=Runtime("run", instances=2, secrets=("KEY",)),
        created_at=NOW,
        ports=(20001, 20002),
        endpoints=(Endpoint("127.0.0.1", 20001),),
    )


def a_placement(generation: int = 1) -> Placement:
    """Production of the shop, at a generation."""
    parts = (Part(DeploymentId("production-v1"), 2, WHOLE),)
    from tidegate.model.ids import Generation

    return Placement(
        HERE, SHOP, EnvironmentName("production"), 18000, Generation(generation), Arrangement(parts), reached_at=NOW
    )


def a_rollout() -> Rollout:
    """A canary that was told to go back."""
    rule = a_pipeline().stages[0].deploy
    assert rule is not None
    return Rollout(
        id=RolloutId("run0001-production-1"),
        placement=HERE,
        kind=RolloutKind.RELEASE,
        new=DeploymentId("production-v2"),
        old=DeploymentId("production-v1"),
        began_at=NOW,
        strategy=Strategy.CANARY,
        plan=plan_rollout(rule, 2, a_pipeline().stages[0].verify, old=True),
        verify=a_pipeline().stages[0].verify,
        rollback_asked=Cause("because", True, ALICE),
        judged_for=timedelta(seconds=1.5),
    )


def some_counters() -> Counters:
    """Counters with a histogram."""
    return Counters(10, 1, (1.0, 5.0), (3, 4, 3), 12)


def a_freeze() -> Freeze:
    """Of the shop in production, lifted before its end."""
    return Freeze(
        id="freeze1",
        environment=EnvironmentName("production"),
        begins=NOW,
        ends=NOW + timedelta(hours=1),
        reason="the sale",
        by=ALICE,
        made_at=NOW,
        timezone="Europe/London",
        service=SHOP,
        lifted_at=NOW + timedelta(minutes=1),
        lifted_by=ALICE,
    )


def a_question() -> ExternalQuestion:
    """It was sent twice, and answered."""
    return ExternalQuestion(
        id="run0001-1-1-0",
        run=RunId("run0001"),
        stage=StageName("production"),
        attempt=1,
        source="tidegate.yaml",
        release=ReleaseId("release1"),
        service=SHOP,
        environment=EnvironmentName("production"),
        url="https://tickets.example.com/",
        secret="KEY",
        nonce="nonce",
        asked_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        due_at=NOW,
        state=QuestionState.APPROVED,
        sent=2,
        token=2,
        leased_until=NOW,
        detail="it answers 503",
        answered_at=NOW,
        reason="CHG-7",
    )
