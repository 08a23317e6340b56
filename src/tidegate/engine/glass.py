"""Break-glass: an operator opens a gate at once, whatever it says; and the review that is owed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.holding import keep_held
from tidegate.engine.locking import lock_known_run
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.actor import Actor
from tidegate.model.break_glass import BreakGlass
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import StageName
from tidegate.model.run import Run, StageRun, StageState
from tidegate.store import events, queries, rows

REVIEW = "tidegate review"


class GlassActs:
    """Each act is one transaction that changes rows and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def break_glass(
        self,
        run_id: str,
        reason: str,
        actor: Actor,
        *,
        stage: str | None = None,
        check: Callable[[Run, StageName], None] = lambda run, stage: None,
    ) -> BreakGlass:
        """Open a gate of the run at once: the one that keeps it, or the named one, also before it is reached. A hold
        of the run ends. `check` raises where this is nobody who may do so there."""
        if not reason.strip():
            raise Refused(Refusal.INVALID, "breaking the glass is recorded with its reason", "add --reason TEXT")
        with self._parts.database.writing() as connection:
            run = lock_known_run(connection, self._parts.database, run_id)
            if run.status.is_ended:
                what = f"run {run.id} has ended: it is {run.status.value}"
                raise Refused(Refusal.CONFLICT, what, f"tidegate retry {run.id}")
            if run.release is None:
                raise Refused(Refusal.CONFLICT, f"run {run.id} has no release: there is nothing to let in yet")
            gate = self._gate(connection, run, stage)
            named = gate.name
            check(run, named)
            made = BreakGlass(
                id=self._parts.new_id(),
                run=run.id,
                stage=named,
                release=run.release,
                actor=actor,
                reason=reason.strip(),
                at=self._parts.clock.now(),
                attempt=gate.attempt,
            )
            rows.put(connection, made)
            keep_held(connection, run, held_by=None)
            text = f"{actor.name} breaks the glass for {run.label} at {named}: {made.reason}"
            self._say(connection, EventKind.GLASS_BROKEN, text, run, made, actor)
        self._engine.queue.hint(f"run:{run.id}")
        return made

    def review(self, glass_id: str, words: str, actor: Actor) -> BreakGlass:
        """Record that somebody else has looked at an opening by break-glass, and what they say of it."""
        if not words.strip():
            raise Refused(Refusal.INVALID, "a review says what was found", f"{REVIEW} {glass_id} --comment TEXT")
        with self._parts.database.writing() as connection:
            known = rows.find(connection, BreakGlass, id=glass_id)
            if known is None:
                raise not_found("break-glass", glass_id, REVIEW)
            if known.is_reviewed:
                raise Refused(Refusal.CONFLICT, f"{known.reviewed_by} has reviewed it already: {known.review}", REVIEW)
            if known.actor.name == actor.name:
                raise Refused(Refusal.REFUSED, "nobody reviews their own break-glass", "ask somebody else")
            now = self._parts.clock.now()
            done = replace(known, reviewed_by=actor.name, reviewed_at=now, review=words.strip())
            rows.put(connection, done)
            run = queries.run(connection, known.run)
            assert run is not None  # runs are never forgotten
            text = f"{actor.name} reviews that {known.actor.name} broke the glass for {run.label}: {done.review}"
            self._say(connection, EventKind.GLASS_REVIEWED, text, run, done, actor)
        return done

    def _gate(self, connection: Connection, run: Run, named: str | None) -> StageRun:
        stages = queries.stages(connection, run.id)
        shut = [one for one in stages if one.state is StageState.GATE or (named and one.state is StageState.PENDING)]
        found = [one for one in shut if named in (None, one.name)]
        if found:
            return found[0]
        raise Refused(Refusal.CONFLICT, f"no gate of run {run.id} is shut now ({_states(stages)})")

    def _say(
        self, connection: Connection, kind: EventKind, text: str, run: Run, glass: BreakGlass, actor: Actor
    ) -> None:
        about = {"service": str(run.service), "run": str(run.id), "commit": str(run.change.commit)}
        about |= {"stage": str(glass.stage), "release": str(glass.release), "break_glass": glass.id}
        if run.pipeline is not None:
            about["environment"] = str(run.pipeline.stage(glass.stage).environment)
        events.append(connection, [Event(kind, text, about, actor)], self._parts.clock.now())


def _states(stages: tuple[StageRun, ...]) -> str:
    return ", ".join(f"{one.name} is {one.state.value}" for one in stages)
