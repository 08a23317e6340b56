"""What people ask of release trains: leave, wait, go on, come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection

from tidegate.engine.engine import Engine
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.engine.trains import load_train, lock_train
from tidegate.model.actor import Actor
from tidegate.model.decide_train import choose_aboard
from tidegate.model.event import Event, EventKind
from tidegate.model.train import Train, TrainRun, TrainState
from tidegate.store import events, rows, train_queries


class TrainActs:
    """Each act is one transaction that changes a train's open passage and records who did it, and then a hint."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = engine.parts

    def depart(self, name: str, actor: Actor) -> TrainRun:
        """Let the train leave now with what is ready. Raises Refused where it is held, under way, or nothing is."""
        with self._changing(name) as (connection, passage):
            self._must_collect(passage)
            if passage.held_by:
                held = f"the train {name} is held by {passage.held_by}"
                raise Refused(Refusal.CONFLICT, held, f"tidegate train resume {name}")
            ready = load_train(connection, self._parts, name).ready
            if not choose_aboard(ready, self._train(name).after):
                text = f"nothing is ready for the train {name}: no release waits for it alone"
                raise Refused(Refusal.CONFLICT, text, f"tidegate train show {name}")
            passage = replace(passage, depart_asked_by=actor)
            self._keep(connection, passage, EventKind.TRAIN_DEPART_ASKED, f"{actor.name} sends the train {name}", actor)
        return passage

    def hold(self, name: str, actor: Actor, reason: str = "") -> TrainRun:
        """Let the train not leave until somebody says so; what left is not stopped by it."""
        with self._changing(name) as (connection, passage):
            self._must_collect(passage)
            passage = replace(passage, held_by=actor.name)
            text = f"{actor.name} holds the train {name}" + (f": {reason}" if reason else "")
            self._keep(connection, passage, EventKind.TRAIN_HELD, text, actor)
        return passage

    def resume(self, name: str, actor: Actor) -> TrainRun:
        """Let a held train leave again when its time comes; a departure that it missed is made up for at once."""
        with self._changing(name) as (connection, passage):
            if passage.held_by is None:
                raise Refused(Refusal.CONFLICT, f"the train {name} is not held", f"tidegate train show {name}")
            passage = replace(passage, held_by=None)
            self._keep(connection, passage, EventKind.TRAIN_RESUMED, f"{actor.name} resumes the train {name}", actor)
        return passage

    def cancel(self, name: str, actor: Actor) -> TrainRun:
        """Leave out the next departure; of a train that is under way, take back what was deployed by it."""
        with self._changing(name) as (connection, passage):
            if passage.state is TrainState.RETURNING:
                raise Refused(Refusal.CONFLICT, f"the train {name} is on its way back already: {passage.because}")
            passage = replace(passage, cancel_asked_by=actor)
            text = f"{actor.name} cancels the train {name}"
            self._keep(connection, passage, EventKind.TRAIN_CANCEL_ASKED, text, actor)
        return passage

    @contextmanager
    def _changing(self, name: str) -> Iterator[tuple[Connection, TrainRun]]:
        with self._parts.database.writing() as connection:
            lock_train(connection, self._parts, name)
            passage = train_queries.open_passage(connection, name)
            if passage is None:
                self._train(name)
                text = f"the train {name} has not begun to collect yet"
                raise Refused(Refusal.CONFLICT, text, "try again in a moment")
            yield connection, passage
        self._engine.queue.hint(f"train:{name}")

    def _keep(self, connection: Connection, passage: TrainRun, kind: EventKind, text: str, actor: Actor) -> None:
        rows.put(connection, passage)
        about = {"train": passage.train, "passage": str(passage.id), "environment": str(passage.environment)}
        events.append(connection, [Event(kind, text, about, actor)], self._parts.clock.now())

    def _train(self, name: str) -> Train:
        train = self._parts.trains.get(name)
        if train is None:
            raise not_found("train", name, "tidegate train list")
        return train

    def _must_collect(self, passage: TrainRun) -> None:
        if passage.state is not TrainState.COLLECTING:
            text = f"the train {passage.train} is under way: it is {passage.state.value}"
            raise Refused(Refusal.CONFLICT, text, f"tidegate train show {passage.train}")
