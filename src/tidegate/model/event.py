"""Events: the append-only record of all that happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tidegate.model.actor import SYSTEM, Actor


class EventKind(StrEnum):
    """What happened."""

    SERVICE_ADDED = "service.added"
    SERVICE_REMOVED = "service.removed"
    SERVICE_PAUSED = "service.paused"
    SERVICE_RESUMED = "service.resumed"
    SERVICE_MODE = "service.mode"
    SERVICE_DEMOTED = "service.demoted"
    SERVICE_TROUBLE = "service.trouble"
    LINE_STOPPED = "line.stopped"
    SECRET_SET = "secret.set"
    AGENT_TOKEN = "agent.token"
    AGENT_DRAINED = "agent.drained"
    AGENT_RESUMED = "agent.resumed"
    AGENT_REMOVED = "agent.removed"
    ACCOUNT_ADDED = "account.added"
    ACCOUNT_DISABLED = "account.disabled"
    ACCOUNT_ENABLED = "account.enabled"
    TEAM_CHANGED = "team.changed"
    TEAM_REMOVED = "team.removed"
    ROLE_GRANTED = "role.granted"
    ROLE_REVOKED = "role.revoked"
    TOKEN_MADE = "token.made"
    TOKEN_REVOKED = "token.revoked"
    PASSWORD_SET = "password.set"
    LINK_MADE = "link.made"
    SIGNED_IN = "sign_in.succeeded"
    SIGN_IN_FAILED = "sign_in.failed"
    SESSIONS_ENDED = "sign_in.sessions_ended"
    ACCOUNT_BOUND = "account.bound"
    ACCOUNT_UNBOUND = "account.unbound"
    RUN_CREATED = "run.created"
    RUN_HELD = "run.held"
    RUN_RESUMED = "run.resumed"
    RUN_RETRIED = "run.retried"
    RUN_CANCEL_ASKED = "run.cancel_asked"
    RUN_ENDED = "run.ended"
    STEP_READY = "step.ready"
    STEP_BEGAN = "step.began"
    STEP_ENDED = "step.ended"
    TEST_FLAKY = "test.flaky"
    TEST_QUARANTINED = "test.quarantined"
    TEST_RELEASED = "test.quarantine_lifted"
    TEST_EXPIRED = "test.quarantine_expired"
    RELEASE_CREATED = "release.created"
    GATE_DECIDED = "gate.decided"
    GATE_ASKED = "gate.asked"
    GATE_ANSWERED = "gate.answered"
    GATE_UNANSWERED = "gate.unanswered"
    FREEZE_SET = "freeze.set"
    FREEZE_BEGAN = "freeze.began"
    FREEZE_ENDED = "freeze.ended"
    FREEZE_LIFTED = "freeze.lifted"
    APPROVAL_GIVEN = "approval.given"
    APPROVAL_WITHDRAWN = "approval.withdrawn"
    GLASS_BROKEN = "glass.broken"
    GLASS_REVIEWED = "glass.reviewed"
    DELEGATION_GIVEN = "delegation.given"
    DELEGATION_ENDED = "delegation.ended"
    AUTHOR_KNOWN = "author.known"
    AUTHOR_UNKNOWN = "author.unknown"
    STAGE_BEGAN = "stage.began"
    STAGE_ENDED = "stage.ended"
    ROLLOUT_BEGAN = "rollout.began"
    ROLLOUT_STEP = "rollout.step"
    ROLLOUT_SHARES = "rollout.shares"
    ROLLOUT_PROMOTED = "rollout.promoted"
    ROLLOUT_PASSED = "rollout.passed"
    ROLLOUT_HOLDS = "rollout.holds"
    ROLLOUT_FELL_BACK = "rollout.fell_back"
    ROLLOUT_ENDED = "rollout.ended"
    VERDICT = "verification.verdict"
    LOAD_CHECKED = "verification.load_checked"
    METRIC_MISSING = "verification.metric_missing"
    ROLLBACK_DECIDED = "rollback.decided"
    ROLLBACK_ROUTED = "rollback.routed"
    ROLLBACK_ANSWERED = "rollback.answered"
    ROLLBACK_HELD = "rollback.held"
    FLOOR_SET = "floor.set"
    FLOOR_LIFTED = "floor.lifted"
    DEPLOYMENT_QUARANTINED = "deployment.quarantined"
    DEPLOYMENT_RELEASED = "deployment.quarantine_lifted"
    DEPLOYMENT_REMOVED = "deployment.removed"
    PLACEMENT_STUCK = "placement.stuck"
    PLACEMENT_HEALTH = "placement.health"
    ERROR_BUDGET_BURNS = "error_budget.burns"
    ERROR_BUDGET_CALM = "error_budget.calm"
    DRILL_BEGAN = "drill.began"
    DRILL_ENDED = "drill.ended"
    REHEARSAL_BEGAN = "rehearsal.began"
    REHEARSED = "rehearsal.played"
    REHEARSAL_ENDED = "rehearsal.ended"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_NOTED = "incident.noted"
    INCIDENT_CLOSED = "incident.closed"
    RECORD_KEY_MADE = "record.key_made"
    RECORD_KEY_CHANGED = "record.key_changed"
    RECORD_KEY_LOST = "record.key_lost"
    TRAIN_COLLECTS = "train.collects"
    TRAIN_DEPARTED = "train.departed"
    TRAIN_EMPTY = "train.empty"
    TRAIN_ABOARD = "train.aboard"
    TRAIN_CALLED = "train.called"
    TRAIN_STOPPED = "train.stopped"
    TRAIN_COMES_BACK = "train.comes_back"
    TRAIN_RETURNED = "train.returned"
    TRAIN_ENDED = "train.ended"
    TRAIN_HELD = "train.held"
    TRAIN_RESUMED = "train.resumed"
    TRAIN_DEPART_ASKED = "train.depart_asked"
    TRAIN_CANCEL_ASKED = "train.cancel_asked"
    NOTIFICATIONS_FAIL = "notifications.fail"
    NOTIFICATIONS_ARRIVE = "notifications.arrive"
    SERVER_STARTED = "server.started"
    ORPHANS_ENDED = "supervision.orphans_ended"
    ROUTER_RESTARTED = "router.restarted"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the record. `about` names what it is about (service, environment, run, release, deployment, …);
    `data` holds the figures behind `text`."""

    kind: EventKind
    text: str
    about: Mapping[str, str]
    actor: Actor = SYSTEM
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it was appended, with its place in the hash chain."""

    id: int
    at: datetime
    event: Event
    previous_hash: str
    hash: str
