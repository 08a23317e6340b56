"""The engine: load, decide, save, act."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from tidegate.engine.dead_man import DeadMansNotes
from tidegate.engine.drill_looks import look_at_drill
from tidegate.engine.facts import NO_FACTS, Facts, judge_rollout, read_facts, read_fallback
from tidegate.engine.freeze_turns import tell_freezes
from tidegate.engine.history import History, keep_history
from tidegate.engine.loading import Gone, load_placement, load_run, with_facts
from tidegate.engine.locking import lock_run
from tidegate.engine.measuring import wants_reading
from tidegate.engine.parts import Parts
from tidegate.engine.performing import Performer
from tidegate.engine.queue import TaskQueue
from tidegate.engine.rollback_hooks import begin_after_rollback
from tidegate.engine.trains import all_trains, look_at_train, trains_of
from tidegate.model.decide_placement import decide_placement, wants_figures
from tidegate.model.decide_run import decide_run
from tidegate.model.decision import Decision
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.ids import IncidentId, PlacementId, ReleaseId, RunId, split_placement
from tidegate.model.incident import Incident
from tidegate.model.placement import Placement
from tidegate.model.placement_draft import PlacementState
from tidegate.model.rollout import Rollout
from tidegate.model.run import Run, StageRun
from tidegate.model.run_draft import RunState
from tidegate.model.service import Service
from tidegate.model.train import TrainRun
from tidegate.store import cadence_queries, drill_queries, queries, run_queries, time_queries
from tidegate.store.saving import save

log = logging.getLogger(__name__)

TURNS_AT_MOST = 50


class Engine:
    """Looks at runs and placements, one row at a time, whenever a hint or the clock says so."""

    def __init__(
        self,
        parts: Parts,
        queue: TaskQueue,
        *,
        steps_ready: Callable[[], None] = lambda: None,
        ask: Callable[[str, datetime], None] = lambda question, at: None,
        measure: Callable[[PlacementId], None] = lambda placement: None,
    ) -> None:
        """`ask` has a question of a gate sent at a time, `measure` the metrics of a placement's rollout read."""
        self.parts = parts
        self.queue = queue
        self.ask = ask
        self._measure = measure
        self._steps_ready = steps_ready
        self._performer = Performer(parts)
        self._notes = DeadMansNotes(parts.dead_man, parts.settings.batch)
        self._history = History()
        self._recovered = False

    def look(self, subject: str) -> None:
        """Look at `run:ID`, `placement:ID`, `train:NAME` or `drill:RUN`; one that is gone is no error."""
        kind, _, name = subject.partition(":")
        try:
            if kind == "run":
                self._look_at_run(RunId(name))
            elif kind == "train":
                self._look_at_train(name)
            elif kind == "drill":
                self._look_at_drill(RunId(name))
            else:
                self._look_at_placement(PlacementId(name))
        except Gone:
            log.info("%s is gone", subject)

    def steps_may_run(self) -> None:
        """Have agents that wait for work ask again: something that kept a ready step waiting has ended."""
        self._steps_ready()

    def sweep(self) -> None:
        """Hint at everything that waits for a time, and at everything that is open: nothing depends on a lost hint.

        The first sweep of a server also takes back what its earlier life had leased when it ended.
        """
        self._recover()
        tell_freezes(self.parts)
        with self.parts.database.reading() as connection:
            due = queries.next_due(connection)
            runs = queries.open_runs(connection)
            rollouts = queries.active_rollouts(connection)
            placements = queries.placements(connection)
            questions = time_queries.questions_to_ask(connection)
            trains = all_trains(connection, self.parts)
            drills = drill_queries.open_drills(connection)
            passed = run_queries.run_ids_to_look_back(connection)
        for question in questions:
            self.ask(question.id, question.free_at)
        for train in sorted(trains):
            self.queue.hint(f"train:{train}")
        for drill in drills:
            self.queue.hint(f"drill:{drill.run}")
        for run_id in passed:
            self.queue.hint(f"run:{run_id}")
        for subject, at in due:
            self.queue.hint(subject, at)
        for run in runs:
            self.queue.hint(f"run:{run.id}")
        for one in sorted({rollout.placement for rollout in rollouts} | {placement.id for placement in placements}):
            self.queue.hint(f"placement:{one}")

    def _recover(self) -> None:
        if self.parts.database.is_sqlite and not self._recovered:
            with self.parts.database.writing() as connection:
                queries.end_effect_leases(connection)
                time_queries.end_question_leases(connection)
        self._recovered = True

    def decide_run(self, connection: Connection, run: Run) -> tuple[RunState, Decision]:
        """Decide about a run that the transaction has locked, and save that in it; `follow` comes after its commit.

        Gives what was looked at, and what was decided. Raises Gone.
        """
        now = self.parts.clock.now()
        new_release, new_nonce = ReleaseId(self.parts.new_id()), self.parts.new_id()
        state = load_run(
            connection, run, self.parts.environments, now, new_release, new_nonce, trains=self.parts.trains
        )
        decision = decide_run(state, now)
        save(connection, decision, now, self.parts.new_id)
        keep_history(connection, decision, now)
        return state, decision

    def follow(self, run: Run, decision: Decision) -> None:
        """Have looked at what depends on a decision about a run, and at the run again when it is due. Agents are not
        told what may begin."""
        self._hint_after(run, decision)
        if not decision.is_settled:
            self.queue.hint(f"run:{run.id}")

    def _look_at_run(self, run_id: RunId) -> None:
        for _ in range(TURNS_AT_MOST):
            with self.parts.database.writing() as connection:
                run = self._locked(connection, run_id)
                _, decision = self.decide_run(connection, run)
            if decision.ready_steps:
                self._steps_ready()
            self._hint_after(run, decision)
            if decision.is_settled:
                return
        self.queue.hint(f"run:{run_id}")

    def _look_at_train(self, name: str) -> None:
        for _ in range(TURNS_AT_MOST):
            decision, services = look_at_train(self.parts, name)
            for service in services if decision.changes else ():
                self._hint_others(decision, service, but=f"train:{name}")
            if not decision.changes:
                if decision.wake_at:
                    self.queue.hint(f"train:{name}", decision.wake_at)
                return
        self.queue.hint(f"train:{name}")

    def _look_at_drill(self, run: RunId) -> None:
        look = look_at_drill(self.parts, run)
        if look.given_up:
            self.queue.hint(f"run:{run}")
        if look.again_at:
            self.queue.hint(f"drill:{run}", look.again_at)

    def _look_at_placement(self, placement: PlacementId) -> None:
        for _ in range(TURNS_AT_MOST):
            state, decision = self._decide_placement(placement)
            if not self._leave_note(state, decision):
                return
            self._hint_others(decision, split_placement(placement)[0], but=f"placement:{placement}")
            performed = self._performer.perform_due(placement)
            if not performed and not decision.changes and not decision.effects:
                self._hint_again(placement, decision)
                return
        self.queue.hint(f"placement:{placement}")

    def _leave_note(self, state: PlacementState, decision: Decision) -> bool:
        """Leave the dead man's note before anything else is done; where that fails, nothing is, until it can be."""
        try:
            self._notes.follow(state, decision)
        except OSError as error:
            log.error("%s: the dead man's note cannot be left, so nothing moves: %s", state.placement.id, error)
            self.queue.hint(
                f"placement:{state.placement.id}", self.parts.clock.now() + self.parts.settings.failure_pause
            )
            return False
        return True

    def _decide_placement(self, placement: PlacementId) -> tuple[PlacementState, Decision]:
        service, _ = split_placement(placement)
        facts = self._read_facts(placement)
        with self.parts.database.writing() as connection:
            self.parts.database.lock_service(connection, service)
            now = self.parts.clock.now()
            new_incident = IncidentId(self.parts.new_id())
            state = load_placement(
                connection, placement, self.parts.environments, self.parts.settings.batch, new_incident
            )
            if facts.fits(state):
                state = with_facts(
                    state,
                    observed=facts.observed,
                    measured=True,
                    fell_back=facts.fell_back,
                    judgement=judge_rollout(connection, self.parts.judge, state, facts, self._history),
                )
            decision = decide_placement(state, now)
            save(connection, decision, now, self.parts.new_id)
            keep_history(connection, decision, now)
            following = begin_after_rollback(connection, self.parts, state, decision)
        for run in following:
            self.queue.hint(f"run:{run.id}")
        if state.rollout and wants_reading(state.rollout):
            self._measure(placement)
        return state, decision

    def _read_facts(self, placement: PlacementId) -> Facts:
        with self.parts.database.reading() as connection:
            found = queries.placement(connection, placement)
            rollout = queries.rollout(connection, found.rollout) if found else None
        if found is None:
            return NO_FACTS
        fell_back = read_fallback(self.parts, found)
        if fell_back is None and not wants_figures(found, rollout, self.parts.clock.now(), self.parts.settings.batch):
            return NO_FACTS
        return read_facts(self.parts, found, rollout, fell_back)

    def _hint_again(self, placement: PlacementId, decision: Decision) -> None:
        with self.parts.database.reading() as connection:
            due = queries.next_due_effect(connection, placement)
        times = [at for at in (due, decision.wake_at) if at]
        if times:
            self.queue.hint(f"placement:{placement}", min(times))

    def _locked(self, connection: Connection, run_id: RunId) -> Run:
        run = lock_run(connection, self.parts.database, run_id)
        if run is None:
            raise Gone(run_id)
        return run

    def _hint_after(self, run: Run, decision: Decision) -> None:
        self._hint_others(decision, run.service, but=f"run:{run.id}")
        if decision.wake_at:
            self.queue.hint(f"run:{run.id}", decision.wake_at)

    def _hint_others(self, decision: Decision, service: str, but: str) -> None:
        """Whoever depends on what changed should look at it: runs at gates on all that moves in their service."""
        subjects = {f"drill:{one.id}" for one in decision.changes if isinstance(one, Run) and one.is_drill}
        moved = False
        for entity in decision.changes:
            match entity:
                case Run() | Service() | StageRun() | TrainRun() | Incident():
                    moved = True
                case Rollout():
                    moved = True
                    if entity.drill and entity.run:
                        subjects.add(f"drill:{entity.run}")
                    subjects.add(f"placement:{entity.placement}")
                    if entity.run:
                        subjects.add(f"run:{entity.run}")
                case ExternalQuestion(state=QuestionState.ASKING):
                    self.ask(entity.id, entity.due_at)
                case Placement():
                    subjects.add(f"placement:{entity.id}")
        self.hint_service({service} if moved else set(), subjects, but=but)

    def hint_gates(self) -> None:
        """Look at every run that waits at a gate: what gates know of people has changed."""
        with self.parts.database.reading() as connection:
            services: set[str] = {one.name for one in queries.services(connection)}
        self.hint_service(services)

    def hint_service(self, services: set[str], subjects: set[str] | None = None, but: str | None = None) -> None:
        """Look at the given subjects, and at every run of these services that waits at a gate; not at `but`."""
        found = set(subjects or ())
        if services:
            with self.parts.database.reading() as connection:
                for service in services:
                    found |= {f"run:{run}" for run in queries.run_ids_at_gates(connection, service)}
                    found |= {f"train:{train}" for train in trains_of(connection, self.parts, service)}
                found |= {f"run:{run}" for run in cadence_queries.run_ids_that_require(connection)}
        for subject in sorted(found - {but}):
            self.queue.hint(subject)
