"""The definition of a pipeline, as `tidegate.yaml` gives it once it is read and resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from tidegate.model.alert import OnAlert
from tidegate.model.cadence import Batch, Cadence
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName, ServiceName, StageName, StepName
from tidegate.model.load import LoadRule
from tidegate.model.mann_whitney import MannWhitneyRule
from tidegate.model.metric import MetricRule
from tidegate.model.recording import Method
from tidegate.model.rehearsal_rule import RehearsalRule
from tidegate.model.share import Share


class Risk(StrEnum):
    """What harm a bad release of the service does."""

    LOW = "low"
    STANDARD = "standard"
    HIGH = "high"


class Mode(StrEnum):
    """Who opens the gate to a protected environment: a person, or policy."""

    DELIVERY = "delivery"
    DEPLOYMENT = "deployment"


class Strategy(StrEnum):
    """How a placement moves from one deployment to the next."""

    ROLLING = "rolling"
    CANARY = "canary"
    BLUE_GREEN = "blue-green"


class RetryCause(StrEnum):
    """Why an attempt of a step may be made again without a person."""

    LOST = "lost"
    TIMEOUT = "timeout"
    FAILED = "failed"


class OnDoubt(StrEnum):
    """What a rollout does where verification has no answer."""

    HOLD = "hold"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


class OnBlind(StrEnum):
    """What becomes of a rollout's share while nobody judges it, because the server is down."""

    HOLD = "hold"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is attempted in all, and after which endings."""

    attempts: int = 1
    causes: tuple[RetryCause, ...] = (RetryCause.LOST, RetryCause.TIMEOUT)


@dataclass(frozen=True, slots=True)
class FolderCache:
    """Folders that are kept from one time to the next, without a promise; the content of the `key` files names them."""

    paths: tuple[str, ...]
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SidecarHealth:
    """How a sidecar proves that it can be used: `command` ends with 0 in it; without one its port takes connections."""

    command: str | None = None
    within: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A container that runs beside a step; the step finds it at `$NAME_HOST` and `$NAME_PORT`."""

    name: str
    image: str
    port: int
    env: dict[str, str] = field(default_factory=dict)
    command: str | None = None
    health: SidecarHealth = SidecarHealth()


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` steps of a group run at a time on the whole server."""

    group: str
    limit: int = 1


@dataclass(frozen=True, slots=True)
class Repeat:
    """A script that runs again and again while a deployment is verified: from begin to begin `every`. So many
    `failures` in a row are harm."""

    every: timedelta = timedelta(seconds=30)
    failures: int = 1


class Outdated(StrEnum):
    """What becomes of a build that still runs when a newer commit of its branch arrives."""

    FINISH = "finish"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Step:
    """One command; `run` is a script for `sh -eu`, never interpolated.

    A step with `inputs` may be taken from the cache. They are globs of files (with `!` those left out), and `$NAME`
    for environment variables that the result may depend on.
    """

    name: StepName
    run: str
    needs: tuple[StepName, ...] = ()
    timeout: timedelta = timedelta(minutes=30)
    retry: Retry = Retry()
    env: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    """Artifact name → glob below the checkout; each must match exactly one file."""

    junit: str | None = None
    coverage: str | None = None
    tests: bool = False
    """It runs automated tests, though it reports none."""

    failed_first: str | None = None
    """A script that runs the tests named in the file `$TIDEGATE_FAILED_TESTS`, before `run`."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    """Globs of the files that later steps which need this one find in their checkout."""

    working_directory: str = "."
    """Below the service's folder; `run` begins there. Globs begin at the service's folder all the same."""

    condition: str | None = None
    """A CEL expression (`if` in the file); the step is left out where it is false."""

    allow_failure: bool = False
    image: str | None = None
    sidecars: tuple[Sidecar, ...] = ()
    cache: FolderCache | None = None
    labels: tuple[str, ...] = ()
    """It runs only on agents that have all of these."""

    concurrency: Concurrency | None = None
    irreversible: bool = False
    """Once it may begin, no older release serves where its stage deploys: see `PlacementFloor`."""

    repeat: Repeat | None = None
    """Set for a check: it is no part of the stage's work, and runs again and again while that is verified."""

    load: LoadRule | None = None
    """Set for a load check: the agent sends the ramp in the place of `run`."""

    @property
    def is_work(self) -> bool:
        """Whether it runs once, as a part of the stage's work or the build."""
        return self.repeat is None and self.load is None

    @property
    def is_tests(self) -> bool:
        """Whether it runs automated tests that count: what may fail without harm proves nothing."""
        return (self.tests or self.junit is not None) and not self.allow_failure

    @property
    def is_cacheable(self) -> bool:
        """Whether its result may come from an earlier run."""
        return bool(self.inputs)


@dataclass(frozen=True, slots=True)
class Setup:
    """What makes a checkout ready for steps. With `inputs` and `outputs` it is kept in the cache, too."""

    run: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    cache: FolderCache | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """What is done once for every change. `setup` runs once per checkout, before the first step in it."""

    steps: tuple[Step, ...] = ()
    setup: Setup | None = None
    outdated: Outdated = Outdated.FINISH


@dataclass(frozen=True, slots=True)
class Health:
    """The question by which an instance proves that it can serve."""

    path: str = "/healthz"
    within: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a deployment runs. `prepare` runs once per deployment, in its folder; `command` once per instance."""

    command: str
    artifact: str | None = None
    prepare: str | None = None
    health: Health = Health()
    instances: int = 1
    stop_grace: timedelta = timedelta(seconds=20)
    env: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    mixed_versions: bool = True


@dataclass(frozen=True, slots=True)
class SharePoint:
    """A share of a canary and the least time that it is given."""

    share: Share
    at_least: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class ApprovalPoint:
    """A point between two shares at which people are asked."""

    count: int


RolloutPoint = SharePoint | ApprovalPoint


@dataclass(frozen=True, slots=True)
class DeployRule:
    """How a stage deploys; `strategy` is resolved, never empty."""

    strategy: Strategy
    shares: tuple[RolloutPoint, ...] = ()
    keep_warm: timedelta = timedelta(minutes=15)
    after_rollback: tuple[Step, ...] = ()
    """What runs when the stage's deployment was taken back and all of the traffic is back."""


@dataclass(frozen=True, slots=True)
class SyntheticTraffic:
    """Requests that Tidegate sends itself while it verifies, where there are no users."""

    path: str
    per_second: float


@dataclass(frozen=True, slots=True)
class LatencyRule:
    """How much slower the new deployment may be: `tolerance` 0.1 allows a tenth more at each quantile."""

    quantiles: tuple[float, ...] = (0.5, 0.95, 0.99)
    tolerance: float = 0.10


@dataclass(frozen=True, slots=True)
class VerifyRule:
    """How a deployment is verified."""

    soak: timedelta = timedelta(0)
    at_most: timedelta = timedelta(minutes=30)
    watch: timedelta = timedelta(0)
    traffic: SyntheticTraffic | None = None
    checks: tuple[Step, ...] = ()
    """Scripts that run again and again meanwhile."""

    load: Step | None = None
    """The load check, with which it ends."""

    latency: LatencyRule = LatencyRule()
    availability: float | None = None
    """The objective, a share of requests that must succeed (0.999); None where the file names none."""
    undecided: OnDoubt = OnDoubt.HOLD
    no_data: OnDoubt = OnDoubt.HOLD
    alerts: OnAlert = OnAlert.NOTE
    blind: OnBlind | None = None
    """None where the file says nothing: then a canary's share goes back unless people asked for it."""

    blind_after: timedelta = timedelta(minutes=5)
    metrics: tuple[MetricRule, ...] = ()
    """What is compared beside errors and latency."""

    method: Method = Method.SEQUENTIAL
    """How those are judged; errors and latency always are by the sequential method."""

    mann_whitney: MannWhitneyRule = MannWhitneyRule()


@dataclass(frozen=True, slots=True)
class Stage:
    """gate → work (deploy, steps) → verify → (roll back)."""

    name: StageName
    environment: EnvironmentName
    needs: tuple[StageName, ...] = ()
    gate: GateRules = GateRules()
    deploy: DeployRule | None = None
    steps: tuple[Step, ...] = ()
    verify: VerifyRule | None = None

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """All that agents perform for it: its steps, and the checks of its verification."""
        if self.verify is None:
            return self.steps
        return (*self.steps, *self.verify.checks, *((self.verify.load,) if self.verify.load else ()))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The whole definition of a service's pipeline at one commit."""

    service: ServiceName
    team: str | None = None
    risk: Risk = Risk.STANDARD
    mode: Mode = Mode.DELIVERY
    branch: str | None = None
    path: str = "."
    build: Build = Build()
    runtime: Runtime | None = None
    stages: tuple[Stage, ...] = ()
    cadence: Cadence = Cadence()
    batch: Batch | None = None
    train: str | None = None
    """The release train that its releases leave with, where the file names one."""

    rehearsals: RehearsalRule | None = None
    """When what serves is rehearsed by itself."""

    def stage(self, name: StageName) -> Stage:
        """The stage of that name. Raises KeyError where there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    @property
    def requires(self) -> tuple[ServiceName, ...]:
        """The services of which something is required, at whatever gate."""
        named = (one.service for stage in self.stages for one in stage.gate.requires)
        return tuple(dict.fromkeys(named))
