"""What people do about the questions that gates put outside: ask again, and see which there were."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.locking import lock_known_run
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.ask_outside import is_about, question_for, whom
from tidegate.model.event import Event, EventKind
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.gate_rules import GateRules
from tidegate.model.run import Run, StageRun, StageState
from tidegate.store import events, queries, rows, time_queries


class QuestionActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def ask_again(self, run_id: str, actor: Actor, *, stage: str | None = None) -> tuple[ExternalQuestion, ...]:
        """Put the questions of a gate again: those that nobody answered. Raises Refused where there is none."""
        with self._parts.database.writing() as connection:
            run = lock_known_run(connection, self._parts.database, run_id)
            known = time_queries.questions_of_run(connection, run.id)
            at = self._stage(connection, run, stage)
            asked = self._ask(connection, run, at, tuple(one for one in known if is_about(one, at)), actor)
        for one in asked:
            self._engine.ask(one.id, one.due_at)
        self._engine.queue.hint(f"run:{run.id}")
        return asked

    def _stage(self, connection: Connection, run: Run, named: str | None) -> StageRun:
        stages = queries.stages(connection, run.id)
        if named is not None and named not in {one.name for one in stages}:
            raise not_found("stage", named, f"tidegate watch {run.id}")
        waiting = [one for one in stages if one.state is StageState.GATE and named in (None, one.name)]
        for one in waiting:
            if any(rules.external for rules in self._rules(run, one)):
                return one
        raise Refused(Refusal.CONFLICT, f"no gate of run {run.id} waits for an answer from outside")

    def _rules(self, run: Run, stage: StageRun) -> tuple[GateRules, ...]:
        assert run.pipeline is not None
        floors = self._parts.environment(stage.environment).floors_for(run.service)
        return (run.pipeline.stage(stage.name).gate, *(floor.gate for floor in floors))

    def _ask(
        self, connection: Connection, run: Run, stage: StageRun, known: tuple[ExternalQuestion, ...], actor: Actor
    ) -> tuple[ExternalQuestion, ...]:
        now = self._parts.clock.now()
        asked: list[ExternalQuestion] = []
        for rules in self._rules(run, stage):
            latest = max((one for one in known if one.source == rules.source), key=lambda one: one.id, default=None)
            if rules.external is None or run.release is None or (latest and latest.state is QuestionState.APPROVED):
                continue
            if latest and latest.state.is_open:
                rows.put(connection, replace(latest, state=QuestionState.EXPIRED, leased_until=None))
            nonce = self._parts.new_id()
            new = question_for(run, stage, run.release, rules, len(known) + len(asked), nonce, now)
            rows.put(connection, new)
            asked.append(new)
            about = {"service": str(run.service), "run": str(run.id), "stage": str(stage.name), "release": run.release}
            text = f"{actor.name} has {whom(new)} asked again for {stage.name}"
            said = Event(EventKind.GATE_ASKED, text, {**about, "environment": stage.environment}, actor)
            events.append(connection, [said], now)
        if not asked:
            raise Refused(Refusal.CONFLICT, f"every answer for {stage.name} is there already")
        return tuple(asked)
