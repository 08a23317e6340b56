"""Rules 1 and 3 to 6 at the moments when gates open, rollouts begin and runs are superseded."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.model.actor import ActorKind
from tidegate.model.approval import Answer, Approval
from tidegate.model.event import EventKind, RecordedEvent
from tidegate.model.ids import PlacementId, StageName, placement_id
from tidegate.model.pipeline import ApprovalPoint, Mode, OnDoubt, Stage
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, RunStatus, StageState
from tidegate.sim.broken import RuleBroken
from tidegate.sim.outside import Outside
from tidegate.sim.recorded import environment_of, placement_of, rollout_of, run_of
from tidegate.store import queries

CLOCKS_DIFFER = timedelta(seconds=2)
"""What is said is never said before what is recorded, and no gate minds so little."""


class GateRules:
    """Follows who may go where. `opened` are the releases that a gate let into an environment."""

    def __init__(self, outside: Outside) -> None:
        self.opened: set[tuple[str, str]] = set()
        self._outside = outside
        self._protected = outside.protected
        self._gates_open: set[tuple[str, str]] = set()
        self._went_back: set[str] = set()
        self._came_to: dict[PlacementId, set[int]] = {}
        self._newest: dict[PlacementId, int] = {}
        self._quarantined: set[str] = set()
        self._stopped: set[str] = set()
        self._paused: set[str] = set()
        self._held: set[str] = set()
        self._broken: set[tuple[str, str]] = set()
        """Where the glass was broken: a gate opens whatever it says, but for what moves and who holds it since."""

        self._removed: set[str] = set()

    def look(self, connection: Connection, recorded: RecordedEvent) -> None:
        """Look at one event. Raises RuleBroken."""
        self._note(recorded)
        self._note_run(recorded)
        match recorded.event.kind:
            case EventKind.GATE_DECIDED:
                self._check_gate(connection, recorded)
            case EventKind.ROLLOUT_BEGAN if "train" in recorded.event.about:
                pass  # a train takes back what it brought: see sim/train_rules.py
            case EventKind.ROLLOUT_BEGAN if "run" in recorded.event.about:
                self._check_beginning(connection, recorded)
            case EventKind.ROLLOUT_BEGAN if recorded.event.actor.kind is not ActorKind.PERSON:
                raise RuleBroken("1 only a gate or a person begins a rollout", recorded.event.text)
            case EventKind.RUN_ENDED if recorded.event.data["status"] == RunStatus.SUPERSEDED:
                self._check_superseded(connection, recorded)

    def _note(self, recorded: RecordedEvent) -> None:
        about = recorded.event.about
        match recorded.event.kind:
            case EventKind.DEPLOYMENT_QUARANTINED:
                self._quarantined.add(about["deployment"])
            case EventKind.DEPLOYMENT_RELEASED:
                self._quarantined.discard(about["deployment"])
            case EventKind.LINE_STOPPED:
                self._stopped.add(about["service"])
            case EventKind.SERVICE_ADDED:
                for marked in (self._removed, self._paused, self._stopped):
                    marked.discard(about["service"])
            case EventKind.SERVICE_REMOVED:
                self._removed.add(about["service"])
            case EventKind.SERVICE_PAUSED:
                self._paused.add(about["service"])
            case EventKind.SERVICE_RESUMED:
                self._stopped.discard(about["service"])
                self._paused.discard(about["service"])
            case EventKind.ROLLBACK_DECIDED:
                self._went_back.add(about["rollout"])

    def _note_run(self, recorded: RecordedEvent) -> None:
        about = recorded.event.about
        match recorded.event.kind:
            case EventKind.RUN_HELD:
                self._held.add(about["run"])
            case EventKind.RUN_RESUMED:
                self._held.discard(about["run"])
            case EventKind.GLASS_BROKEN:
                self._held.discard(about["run"])
                self._broken.add((about["run"], about["stage"]))
            case EventKind.RUN_RETRIED:
                self._broken = {(run, stage) for run, stage in self._broken if run != about["run"]}
                self._gates_open = {(run, stage) for run, stage in self._gates_open if run != about["run"]}

    def _check_gate(self, connection: Connection, recorded: RecordedEvent) -> None:
        about, data = recorded.event.about, recorded.event.data
        run = run_of(connection, recorded)
        self._came_to.setdefault(placement_of(recorded), set()).add(run.order)
        if not data["because"]:
            raise RuleBroken("12 every gate says why", recorded.event.text)
        if data["state"] != "open":
            return
        is_broken = (about["run"], about["stage"]) in self._broken
        if about["run"] in self._held or (about["service"] in self._paused and not is_broken):
            raise RuleBroken("what a person holds passes no gate", recorded.event.text)
        if run.release != about["release"]:
            raise RuleBroken("1 a gate opens for exactly one release", f"{about['release']}, not {run.release}")
        stage = _stage(run, StageName(about["stage"]))
        needed = self._approvals_needed(connection, run, stage)
        yes, no = _answers(connection, run, stage.name, recorded.at)
        if (len(yes) < needed or no) and not is_broken:
            raise RuleBroken("1 a gate opens only as its rules say", f"{run.id}: {len(yes)} of {needed} approvals")
        self._gates_open.add((run.id, about["stage"]))
        self.opened.add((about["release"], about["environment"]))

    def lacks_people(self, connection: Connection, run: Run, stage: Stage, at: datetime) -> bool:
        """Whether people whom the file asks, or before the first share, have yet to say yes."""
        yes, _ = _answers(connection, run, stage.name, at)
        return len(yes) < max(self._approvals_needed(connection, run, stage), _asked_first(stage))

    def _approvals_needed(self, connection: Connection, run: Run, stage: Stage) -> int:
        """How many people the gate asks, but for those that a canary asks before its first share."""
        service = queries.known_service(connection, run.service)
        assert service is not None and run.pipeline is not None
        granted = run.pipeline.mode is Mode.DEPLOYMENT and service.grant is Mode.DEPLOYMENT
        if (granted and _has_foundation(run, stage)) or not self._protected[stage.environment]:
            return 0
        return stage.gate.approvals.count if stage.gate.approvals else 1

    def _check_beginning(self, connection: Connection, recorded: RecordedEvent) -> None:
        about, text = recorded.event.about, recorded.event.text
        run, placement = run_of(connection, recorded), placement_of(recorded)
        if (run.id, about["stage"]) not in self._gates_open:
            raise RuleBroken("1 a rollout begins only through its own gate", text)
        if about["service"] in self._removed:
            raise RuleBroken("nothing of a removed service is deployed", text)
        owners = [one for one in queries.active_rollouts(connection) if one.placement == placement]
        if sum(one.state.owns_placement for one in owners) > 1:
            raise RuleBroken("5 a rollout is finished before the next begins", text)
        if (run.id, about["stage"]) not in self._broken:
            self._check_its_turn(connection, recorded, run)
        if not run.is_drill:  # a release that only comes and goes is still to come
            self._newest[placement] = max(run.order, self._newest.get(placement, 0))

    def _check_its_turn(self, connection: Connection, recorded: RecordedEvent, run: Run) -> None:
        """What holds of a rollout that begins through a gate whose glass is whole."""
        about, text, placement = recorded.event.about, recorded.event.text, placement_of(recorded)
        if about["deployment"] in self._quarantined and (run.is_drill or not run.by_person):
            raise RuleBroken("3 nothing automatic brings a quarantined deployment back", text)
        if run.order <= self._newest.get(placement, 0) and not run.by_person:
            raise RuleBroken("4 only a newer release comes by itself", text)
        if self._protected[environment_of(recorded)] and about["service"] in self._stopped:
            raise RuleBroken("3 a stopped line stays stopped until a person says go", text)
        self._check_upstream(connection, run, _stage(run, StageName(about["stage"])))
        self._check_first_share(connection, rollout_of(connection, recorded), run, recorded.at)

    def _check_upstream(self, connection: Connection, run: Run, stage: Stage) -> None:
        """The stages before it passed, and what they deployed did not go back until now."""
        for need in queries.stages(connection, run.id):
            if need.name in stage.needs and need.rollout in self._went_back:
                raise RuleBroken("6 a breach closes the gates downstream", f"{run.id}: {need.name} went back")
            if need.name in stage.needs and need.state not in (StageState.PASSED, StageState.ROLLED_BACK):
                raise RuleBroken("a stage begins when those before it passed", f"{run.id}: {need.name}")

    def _check_first_share(self, connection: Connection, rollout: Rollout, run: Run, at: datetime) -> None:
        """A canary that asks people before its first share asks them at the gate, in whatever mode."""
        assert rollout.stage is not None
        stage = _stage(run, rollout.stage)
        yes, _ = _answers(connection, run, stage.name, at)
        if rollout.old and len(yes) < _asked_first(stage):
            raise RuleBroken("a share that asks for approvals waits for them", f"{rollout.id}: the first")

    def _check_superseded(self, connection: Connection, recorded: RecordedEvent) -> None:
        run = run_of(connection, recorded)
        for stage in queries.stages(connection, run.id):
            placement = placement_id(run.service, stage.environment)
            if stage.state is not StageState.SUPERSEDED or self._newest.get(placement, 0) >= run.order:
                continue
            if max(self._came_to[placement]) <= run.order:
                raise RuleBroken("5 only a newer release supersedes", f"{run.id} at {stage.name}")
            rule = _stage(run, stage.name)
            needed = self._approvals_needed(connection, run, rule)
            yes, _ = _answers(connection, run, stage.name, recorded.at)
            floor = self._outside.floor.approvals if stage.environment == "production" else 0
            if needed and len(yes) >= max(needed, _asked_first(rule), floor):
                raise RuleBroken("5 an approved release is not superseded", f"{run.id} at {stage.name}")


def _stage(run: Run, name: StageName) -> Stage:
    assert run.pipeline is not None
    return run.pipeline.stage(name)


def _has_foundation(run: Run, stage: Stage) -> bool:
    """Whether policy may open the gate: tests in the build, proof before it, verification that leads back."""
    assert run.pipeline is not None
    tested = any(step.junit for step in run.pipeline.build.steps)
    proven = any(before.steps or before.verify for before in run.pipeline.stages if before.name in stage.needs)
    verify = stage.verify
    returns = verify is not None and verify.undecided is not OnDoubt.PROMOTE and verify.no_data is not OnDoubt.PROMOTE
    return tested and proven and returns


def _asked_first(stage: Stage) -> int:
    """How many people its canary asks before the first share."""
    first = stage.deploy.shares[0] if stage.deploy and stage.deploy.shares else None
    return first.count if isinstance(first, ApprovalPoint) else 0


def _answers(connection: Connection, run: Run, stage: StageName, at: datetime) -> tuple[set[str], set[str]]:
    """Who said yes and who said no at a stage's gate, as it counts at a time."""
    rule = _stage(run, stage).gate.approvals
    latest: dict[str, Approval] = {}
    for one in queries.approvals(connection, run.id):
        expired = rule is not None and rule.expires is not None and one.at + rule.expires <= at
        if (
            one.stage == stage
            and one.point == 0
            and one.release == run.release
            and one.at <= at + CLOCKS_DIFFER
            and not expired
        ):
            latest[one.actor.name] = one
    yes = {name for name, one in latest.items() if one.answer is Answer.APPROVED}
    return yes, {name for name, one in latest.items() if one.answer is Answer.REJECTED}
