"""The tables. A column is named after the field of the model that it holds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

from tidegate.model.access import Access
from tidegate.model.actor import Actor
from tidegate.model.agent import Platform
from tidegate.model.approval import Answer, Seen
from tidegate.model.change import Change
from tidegate.model.effect import Act, EffectState
from tidegate.model.figures import Counters
from tidegate.model.gate import GateDecision
from tidegate.model.ids import DeploymentId, ServiceName
from tidegate.model.installation import Endpoint, Installation
from tidegate.model.lease import BuiltFile, StepReport, TestReport
from tidegate.model.load import LoadReport
from tidegate.model.origin import Origin
from tidegate.model.pipeline import Mode, Pipeline, Risk, Runtime, Step, Strategy, VerifyRule
from tidegate.model.placement import Arrangement, PlacementFloor
from tidegate.model.reason import Reason
from tidegate.model.rollout import Cause, RolloutKind, RolloutState, RolloutStep
from tidegate.model.run import RunStatus, StageState, Trigger
from tidegate.model.step_run import AttemptId, StepState
from tidegate.model.verdict import Judgement
from tidegate.store.columns import Document, Span, Utc, Word

metadata = MetaData()


def text_column(name: str, *, null: bool = False) -> Column[str]:
    """A column of words."""
    return Column(name, Text, nullable=null)


service = Table(
    "service",
    metadata,
    Column("name", Text, primary_key=True),
    text_column("repository"),
    Column("added_at", Utc, nullable=False),
    text_column("path"),
    text_column("branch", null=True),
    text_column("credential", null=True),
    text_column("team", null=True),
    Column("risk", Word(Risk), nullable=False),
    Column("mode", Word(Mode), nullable=False),
    Column("grant", Word(Mode)),
    Column("granted_at", Utc),
    text_column("demoted_because", null=True),
    Column("lacks", Document(tuple[str, ...]), nullable=False, server_default="[]"),
    text_column("train", null=True),
    Column("requires", Document(tuple[ServiceName, ...]), nullable=False, server_default="[]"),
    text_column("last_seen", null=True),
    text_column("trouble", null=True),
    text_column("paused_because", null=True),
    text_column("line_stopped_because", null=True),
    Column("removed_at", Utc),
)

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("service"),
    Column("change", Document(Change), nullable=False),
    Column("order", Integer, nullable=False),
    Column("trigger", Word(Trigger), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("actor", Document(Actor), nullable=False),
    Column("by_person", Boolean, nullable=False),
    Column("status", Word(RunStatus), nullable=False),
    Column("pipeline", Document(Pipeline)),
    text_column("release", null=True),
    text_column("held_by", null=True),
    text_column("cancel_asked_by", null=True),
    Column("because", Document(tuple[Reason, ...]), nullable=False),
    Column("ended_at", Utc),
    Column("wake_at", Utc),
    Column("changed", Document(tuple[str, ...])),
    Index("run_by_service", "service", "id"),
    Index("run_by_status", "status"),
    Index("run_by_wake", "wake_at"),
)

stage_run = Table(
    "stage_run",
    metadata,
    Column("run", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    text_column("environment"),
    Column("state", Word(StageState), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("gate", Document(GateDecision)),
    text_column("opened_by"),
    text_column("rollout", null=True),
    Column("began_at", Utc),
    Column("ended_at", Utc),
    text_column("because"),
    Index("stage_run_by_state", "state", "environment"),
)

step_run = Table(
    "step_run",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("run"),
    text_column("scope"),
    text_column("name"),
    Column("position", Integer, nullable=False),
    Column("step", Document(Step), nullable=False),
    Column("state", Word(StepState), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    text_column("agent", null=True),
    Column("leased_until", Utc),
    Column("cancel_asked", Boolean, nullable=False),
    Column("ready_at", Utc),
    Column("began_at", Utc),
    Column("ended_at", Utc),
    Column("report", Document(StepReport)),
    Column("earlier", Document(tuple[StepReport, ...]), nullable=False),
    text_column("files", null=True),
    text_column("missing_input", null=True),
    text_column("key", null=True),
    Column("cached_from", Document(AttemptId)),
    Index("step_run_by_run", "run"),
    Index("step_run_by_state", "state", "ready_at"),
)

cached_result = Table(
    "cached_result",
    metadata,
    Column("key", Text, primary_key=True),
    text_column("service"),
    text_column("run"),
    text_column("step_run"),
    Column("attempt", Integer, nullable=False),
    Column("report", Document(StepReport), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("used_at", Utc, nullable=False),
    Index("cached_result_by_use", "used_at"),
)

test_outcome = Table(
    "test_outcome",
    metadata,
    Column("step_run", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("test", Text, primary_key=True),
    text_column("service"),
    text_column("scope"),
    text_column("step"),
    text_column("content"),
    text_column("run"),
    Column("at", Utc, nullable=False),
    Column("failed", Boolean, nullable=False),
    Index("test_outcome_by_step", "service", "scope", "step", "at"),
    Index("test_outcome_by_time", "at"),
)

test_quarantine = Table(
    "test_quarantine",
    metadata,
    Column("service", Text, primary_key=True),
    Column("test", Text, primary_key=True),
    text_column("owner"),
    Column("until", Utc, nullable=False),
    text_column("reason"),
    Column("by", Document(Actor), nullable=False),
    Column("at", Utc, nullable=False),
    Column("expiry_told", Boolean, nullable=False),
)

agent = Table(
    "agent",
    metadata,
    Column("name", Text, primary_key=True),
    Column("added_at", Utc, nullable=False),
    text_column("token_hash", null=True),
    text_column("instance", null=True),
    Column("labels", Document(tuple[str, ...]), nullable=False),
    Column("slots", Integer, nullable=False),
    text_column("version", null=True),
    Column("platform", Document(Platform)),
    Column("seen_at", Utc),
    Column("leaving", Boolean, nullable=False),
    text_column("drained_by", null=True),
    Index("agent_by_token", "token_hash", unique=True),
)

release = Table(
    "release",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("service"),
    text_column("run"),
    Column("order", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("change", Document(Change), nullable=False),
    Column("pipeline", Document(Pipeline), nullable=False),
    Column("artifacts", Document(tuple[BuiltFile, ...]), nullable=False),
    Column("origins", Document(tuple[Origin, ...]), nullable=False),
    Column("tests", Document(TestReport)),
    Column("line_coverage", Document(float)),
    Index("release_by_service", "service", "order"),
)

approval = Table(
    "approval",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("run"),
    text_column("stage"),
    text_column("release"),
    Column("point", Integer, nullable=False),
    Column("answer", Word(Answer), nullable=False),
    Column("actor", Document(Actor), nullable=False),
    Column("at", Utc, nullable=False),
    text_column("comment"),
    Column("stands_for", Document(tuple[str, ...]), nullable=False, server_default="[]"),
    Column("looked_at", Document(tuple[Seen, ...]), nullable=False, server_default="[]"),
    Index("approval_by_run", "run", "stage"),
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("placement"),
    text_column("release"),
    text_column("commit"),
    Column("order", Integer, nullable=False),
    Column("runtime", Document(Runtime), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("ports", Document(tuple[int, ...]), nullable=False),
    Column("present", Boolean, nullable=False),
    Column("installed", Integer, nullable=False),
    Column("endpoints", Document(tuple[Endpoint, ...]), nullable=False),
    Column("warm_until", Utc),
    Column("proven_at", Utc),
    Column("served_at", Utc),
    Column("quarantined_at", Utc),
    text_column("quarantined_because", null=True),
    text_column("detail"),
    Index("deployment_by_placement", "placement", "created_at"),
)

placement = Table(
    "placement",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("service"),
    text_column("environment"),
    Column("port", Integer, nullable=False, unique=True),
    Column("generation", Integer, nullable=False),
    Column("arrangement", Document(Arrangement), nullable=False),
    Column("reached_at", Utc),
    text_column("rollout", null=True),
    Column("highest_order", Integer, nullable=False),
    Column("rollbacks_in_a_row", Integer, nullable=False),
    text_column("stuck_because", null=True),
    Column("checked_at", Utc),
    text_column("health"),
    Column("wake_at", Utc),
    Column("floor", Document(PlacementFloor)),
    Index("placement_by_wake", "wake_at"),
)

rollout = Table(
    "rollout",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("placement"),
    Column("kind", Word(RolloutKind), nullable=False),
    text_column("new", null=True),
    text_column("old", null=True),
    Column("began_at", Utc, nullable=False),
    Column("strategy", Word(Strategy), nullable=False),
    Column("plan", Document(tuple[RolloutStep, ...]), nullable=False),
    Column("verify", Document(VerifyRule)),
    Column("keep_warm", Span, nullable=False),
    text_column("run", null=True),
    text_column("stage", null=True),
    text_column("opened_by"),
    Column("state", Word(RolloutState), nullable=False),
    Column("step", Integer, nullable=False),
    Column("step_since", Utc),
    Column("judged_for", Span, nullable=False),
    Column("measure_at", Utc),
    Column("needs_steps", Boolean, nullable=False),
    Column("steps_passed", Boolean, nullable=False),
    text_column("lacks", null=True),
    Column("load_due_at", Utc),
    Column("load", Document(LoadReport)),
    Column("held", Boolean, nullable=False),
    Column("promote_step", Integer),
    text_column("promoted_by", null=True),
    Column("drill", Boolean, nullable=False),
    Column("rollback_asked", Document(Cause)),
    Column("cause", Document(Cause)),
    Column("held_at_floor", Document(Cause)),
    Column("decided_at", Utc),
    Column("routed_at", Utc),
    text_column("holds_because", null=True),
    Column("judgement", Document(Judgement)),
    Column("passed_at", Utc),
    Column("watch_until", Utc),
    Column("ended_at", Utc),
    Index("rollout_by_placement", "placement", "began_at"),
    Index("rollout_by_run", "run"),
)

effect = Table(
    "effect",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("placement"),
    Column("generation", Integer, nullable=False),
    text_column("key"),
    Column("act", Document(Act), nullable=False),
    Column("state", Word(EffectState), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("token", Integer, nullable=False),
    Column("leased_until", Utc),
    Column("performed", Integer, nullable=False),
    text_column("detail"),
    Column("installation", Document(Installation)),
    Column("done_at", Utc),
    UniqueConstraint("placement", "generation", "key", name="effect_once"),
    Index("effect_by_state", "state", "due_at"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    text_column("rollout"),
    Column("step", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("at", Utc, nullable=False),
    Column("deployments", Document(dict[DeploymentId, Counters]), nullable=False),
    Index("snapshot_by_rollout", "rollout", "id"),
)

port = Table(
    "port",
    metadata,
    Column("port", Integer, primary_key=True, autoincrement=False),
    text_column("owner"),
    Index("port_by_owner", "owner"),
)

secret = Table(
    "secret",
    metadata,
    Column("service", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    text_column("value"),
    Column("set_at", Utc, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    text_column("kind"),
    text_column("text"),
    text_column("actor_kind"),
    text_column("actor"),
    text_column("service", null=True),
    text_column("run", null=True),
    Column("about", Document(dict[str, str]), nullable=False),
    Column("data", Document(dict[str, object]), nullable=False),
    Column("form", Integer, nullable=False),
    Column("access", Document(Access)),
    text_column("previous_hash"),
    text_column("hash"),
    Index("event_by_run", "run", "id"),
    Index("event_by_service", "service", "id"),
    Index("event_by_time", "at"),
)
