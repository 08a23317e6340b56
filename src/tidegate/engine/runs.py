"""What people do to runs: approve, reject, cancel, retry, hold, resume, promote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.holding import keep_held
from tidegate.engine.loading import asked_at, rules_at
from tidegate.engine.locking import lock_known_run
from tidegate.engine.refusal import Refusal, Refused
from tidegate.model.actor import Actor
from tidegate.model.approval import Answer, Approval
from tidegate.model.event import Event, EventKind
from tidegate.model.gate_approvals import latest_words, not_counted
from tidegate.model.ids import StageName
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.run import MADE_IS_KEPT, Run, RunStatus, StageRun, StageState, Trigger
from tidegate.model.step_progress import reset_step
from tidegate.model.step_run import BUILD, StepState
from tidegate.store import events, evidence_view_queries, gate_queries, queries, rows, time_queries

_A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a run asks people: the stage, and the point in it (0 is its gate)."""

    stage: StageName
    point: int


class RunActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def answer(
        self,
        run_id: str,
        answer: Answer,
        actor: Actor,
        *,
        stage: str | None = None,
        comment: str = "",
        check: Callable[[Run, StageName], None] = lambda run, stage: None,
    ) -> Approval:
        """Say yes or no where the run asks; with `stage`, also before its gate is reached. `check` raises where this is
        nobody who may answer there."""
        with self._changing(run_id) as (connection, run):
            if run.status.is_ended:
                raise Refused(Refusal.CONFLICT, f"run {run.id} has ended: it is {run.status.value}")
            if run.release is None:
                raise Refused(Refusal.CONFLICT, f"run {run.id} has no release yet: its build has not ended")
            asked = self._asked(connection, run, stage)
            check(run, asked.stage)
            now = self._said_at(connection, run, actor)
            if answer is Answer.APPROVED and not comment.strip() and self._wants_words(run, asked.stage):
                remedy = f"tidegate approve {run.id} --comment TEXT"
                raise Refused(Refusal.INVALID, f"a yes at {asked.stage} needs words: say why", remedy)
            approval = Approval(
                id=self._parts.new_id(),
                run=run.id,
                stage=asked.stage,
                release=run.release,
                point=asked.point,
                answer=answer,
                actor=actor,
                at=now,
                comment=comment,
                stands_for=_stands_for(connection, actor, run, now),
                looked_at=evidence_view_queries.seen_by(connection, run.id, actor.name, asked.stage),
            )
            rows.put(connection, approval)
            text = f"{actor.name} {answer.value} {run.label} for {_where(asked)}" + (f": {comment}" if comment else "")
            self._say(connection, run, EventKind.APPROVAL_GIVEN, text, actor, asked.stage, approval.figures)
        return approval

    def why_not_counted(self, given: Approval) -> str | None:
        """Why a yes counts for no rule that asks people where it was given, in words that follow the person's name."""
        with self._parts.database.reading() as connection:
            run = queries.run(connection, given.run)
            if run is None or run.pipeline is None or given.answer is not Answer.APPROVED:
                return None
            environment = self._parts.environment(run.pipeline.stage(given.stage).environment)
            rules, voters = asked_at(connection, run, given.stage, environment, given)
        return not_counted(given, rules, max(given.at, self._parts.clock.now()), voters)

    def withdraw(
        self,
        run_id: str,
        actor: Actor,
        *,
        stage: str | None = None,
        comment: str = "",
        check: Callable[[Run, StageName], None] = lambda run, stage: None,
    ) -> Approval:
        """Take back one's own yes, as long as nothing has begun that it let in. `check` raises where this is nobody
        who may answer there."""
        with self._changing(run_id) as (connection, run):
            if run.status.is_ended or run.release is None:
                raise Refused(Refusal.CONFLICT, f"run {run.id} is {run.status.value}: there is nothing to take back")
            words = [one for one in queries.approvals(connection, run.id) if one.actor.name == actor.name]
            asked = self._asked(connection, run, stage, taken_back=words)
            check(run, asked.stage)
            here = latest_words(one for one in words if (one.stage, one.point) == (asked.stage, asked.point))
            if not here or here[0].answer is not Answer.APPROVED:
                text = f"{actor.name} has said no yes to {run.label} for {_where(asked)}"
                raise Refused(Refusal.CONFLICT, text, f"tidegate watch {run.id}")
            new_id, now = self._parts.new_id(), self._said_at(connection, run, actor)
            taken = replace(here[0], id=new_id, answer=Answer.WITHDRAWN, at=now, comment=comment)
            rows.put(connection, taken)
            text = f"{actor.name} takes back the yes to {run.label} for {_where(asked)}"
            self._say(connection, run, EventKind.APPROVAL_WITHDRAWN, text, actor, asked.stage, taken.figures)
        return taken

    def _said_at(self, connection: Connection, run: Run, actor: Actor) -> datetime:
        """When something is said now: never before what is recorded already, also where the clock was set back. So of
        two words of a person the second is the later one, and what ended has ended."""
        words = queries.approvals(connection, run.id)
        said = [one.at + _A_MOMENT for one in words if one.actor.name == actor.name]
        recorded = time_queries.latest_recorded(connection)
        return max([self._parts.clock.now(), *said, *([recorded] if recorded else [])])

    def _wants_words(self, run: Run, stage: StageName) -> bool:
        """Whether a rule of the stage's gate wants a comment with every yes."""
        assert run.pipeline is not None
        environment = self._parts.environment(run.pipeline.stage(stage).environment)
        rules = rules_at(run, stage, environment)
        return any(one.approvals.comment for one in rules if one.approvals)

    def cancel(self, run_id: str, actor: Actor) -> Run:
        """Stop the run; what moves is rolled back, not for cause."""
        with self._changing(run_id) as (connection, run):
            if run.status.is_ended:
                raise Refused(Refusal.CONFLICT, f"run {run.id} has ended: it is {run.status.value}")
            run = replace(run, cancel_asked_by=actor.name)
            rows.put(connection, run)
            self._say(connection, run, EventKind.RUN_CANCEL_ASKED, f"{actor.name} cancels {run.label}", actor)
        return run

    def retry(self, run_id: str, actor: Actor) -> Run:
        """Try again what failed: the build's steps, or the stages that did not pass, by this person's word."""
        with self._changing(run_id) as (connection, run):
            if not run.status.is_ended:
                raise Refused(Refusal.CONFLICT, f"run {run.id} still goes on", f"tidegate cancel {run.id}")
            if run.status is RunStatus.SUCCEEDED:
                raise Refused(Refusal.CONFLICT, f"run {run.id} succeeded; there is nothing to try again")
            if run.pipeline is None:
                raise Refused(Refusal.CONFLICT, f"the file of run {run.id} cannot be read", "commit a corrected file")
            self._reopen(connection, run)
            now = self._parts.clock.now()
            run = replace(
                run,
                status=RunStatus.RUNNING,
                ended_at=None,
                cancel_asked_by=None,
                because=(),
                by_person=True,
                wake_at=now,
            )
            rows.put(connection, run)
            self._say(connection, run, EventKind.RUN_RETRIED, f"{actor.name} tries {run.label} again", actor)
        return run

    def hold(self, run_id: str, actor: Actor) -> Run:
        """Let the run go no further; what it deployed is still watched."""
        return self._set_hold(run_id, actor, held_by=actor.name)

    def resume(self, run_id: str, actor: Actor) -> Run:
        """Let a held run go on."""
        return self._set_hold(run_id, actor, held_by=None)

    def promote(self, run_id: str, actor: Actor) -> Rollout:
        """End this share now, whatever the evidence says so far."""
        with self._changing(run_id) as (connection, run):
            rollout = self._moving_rollout(connection, run)
            if rollout is None:
                raise Refused(Refusal.CONFLICT, f"nothing of run {run.id} is rolling out", f"tidegate watch {run.id}")
            if rollout.state is RolloutState.ASKING:
                raise Refused(Refusal.REFUSED, "the next share waits for approvals", f"tidegate approve {run.id}")
            if rollout.state is not RolloutState.JUDGING:
                raise Refused(Refusal.CONFLICT, f"the rollout is {rollout.state.value}; try again in a moment")
            rollout = replace(rollout, promote_step=rollout.step, promoted_by=actor.name, held=False)
            rows.put(connection, rollout)
            text = f"{actor.name} ends the share of {rollout.position.share} now"
            self._say(connection, run, EventKind.ROLLOUT_PROMOTED, text, actor)
        self._engine.queue.hint(f"placement:{rollout.placement}")
        return rollout

    @contextmanager
    def _changing(self, run_id: str) -> Iterator[tuple[Connection, Run]]:
        with self._parts.database.writing() as connection:
            yield connection, lock_known_run(connection, self._parts.database, run_id)
        self._engine.queue.hint(f"run:{run_id}")
        for rollout in self._rollouts(run_id):
            self._engine.queue.hint(f"placement:{rollout.placement}")

    def _rollouts(self, run_id: str) -> tuple[Rollout, ...]:
        with self._parts.database.reading() as connection:
            return queries.rollouts_of_run(connection, run_id)

    def _asked(self, connection: Connection, run: Run, named: str | None, taken_back: Iterable[Approval] = ()) -> Asked:
        stages = queries.stages(connection, run.id)
        if named is not None and named not in {one.name for one in stages}:
            known = ", ".join(one.name for one in stages)
            raise Refused(Refusal.NOT_FOUND, f"run {run.id} has no stage {named!r}; it has {known}")
        for stage in stages:
            if named in (None, stage.name) and (asked := self._asks(connection, run, stage, named)):
                return asked
        states = ", ".join(f"{one.name} is {one.state.value}" for one in stages)
        spoken = {one.stage for one in latest_words(taken_back) if one.answer is Answer.APPROVED}
        for stage in stages:
            if stage.name in spoken and named in (None, stage.name):
                text = f"{stage.name} of run {run.id} has begun, and a yes is taken back only before ({states})"
                raise Refused(Refusal.CONFLICT, text, f"to stop what it let in: tidegate cancel {run.id}")
        raise Refused(Refusal.CONFLICT, f"run {run.id} asks nobody now ({states})", f"tidegate watch {run.id}")

    def _asks(self, connection: Connection, run: Run, stage: StageRun, named: str | None) -> Asked | None:
        if stage.state is StageState.GATE or (named and stage.state is StageState.PENDING):
            return Asked(stage.name, 0)
        rollout = queries.rollout(connection, stage.rollout)
        if rollout and rollout.state is RolloutState.ASKING:
            return Asked(stage.name, rollout.step + 1)
        return None

    def _moving_rollout(self, connection: Connection, run: Run) -> Rollout | None:
        rollouts = queries.rollouts_of_run(connection, run.id)
        return next((one for one in rollouts if one.state.owns_placement), None)

    def _set_hold(self, run_id: str, actor: Actor, held_by: str | None) -> Run:
        with self._changing(run_id) as (connection, run):
            if run.status.is_ended:
                raise Refused(Refusal.CONFLICT, f"run {run.id} has ended: it is {run.status.value}")
            run = keep_held(connection, run, held_by)
            kind = EventKind.RUN_HELD if held_by else EventKind.RUN_RESUMED
            self._say(connection, run, kind, f"{actor.name} {'holds' if held_by else 'resumes'} {run.label}", actor)
        return run

    def _reopen(self, connection: Connection, run: Run) -> None:
        """Forget how far it came, and what people said of it on the way: only a yes at a gate still counts."""
        steps = queries.steps(connection, run.id)
        if run.release is None:
            is_gone = run.ended_at is not None and run.ended_at + MADE_IS_KEPT < self._parts.clock.now()
            for step in steps:
                if step.scope == BUILD and (is_gone or step.state is not StepState.SUCCEEDED):
                    rows.put(connection, reset_step(step))
        for stage in queries.stages(connection, run.id):
            if stage.state is StageState.PASSED:
                continue
            again = StageRun(run.id, stage.name, stage.position, stage.environment, attempt=stage.attempt + 1)
            if run.trigger is Trigger.AFTER_ROLLBACK:  # the rollback still is what opened it
                now = self._parts.clock.now()
                again = replace(again, state=StageState.WORKING, opened_by=stage.opened_by, began_at=now)
            rows.put(connection, again)
            for step in steps:
                if step.scope == stage.name and step.state is not StepState.WAITING:
                    rows.put(connection, reset_step(step))
        for approval in queries.approvals(connection, run.id):
            if approval.answer is Answer.REJECTED or approval.point:
                rows.drop(connection, approval)

    def _say(
        self,
        connection: Connection,
        run: Run,
        kind: EventKind,
        text: str,
        actor: Actor,
        stage: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        about = {"service": str(run.service), "run": str(run.id), "commit": str(run.change.commit)}
        if stage:
            about["stage"] = stage
        events.append(connection, [Event(kind, text, about, actor, data or {})], self._parts.clock.now())


def _where(asked: Asked) -> str:
    return asked.stage if asked.point == 0 else f"{asked.stage}, share {asked.point + 1}"


def _stands_for(connection: Connection, actor: Actor, run: Run, now: datetime) -> tuple[str, ...]:
    """Those in whose place this person may answer now."""
    delegated = gate_queries.delegations_to(connection, actor.name)
    return tuple(dict.fromkeys(one.giver for one in delegated if one.holds(run.service, now)))
