"""The setup of a working tree: run or brought back at most once in a build, before the first step that really runs."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tidegate.agent.collect import NotMade
from tidegate.builder import keeping, placing, sealed
from tidegate.builder.kept_result import KeptResult, Origin
from tidegate.builder.running import open_log, run
from tidegate.builder.stamps import Stamps, stamps_at
from tidegate.builder.view import SETUP, StepEnd
from tidegate.builder.workshop import Workshop
from tidegate.model.ids import StepName
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import Setup, Step
from tidegate.model.step_inputs import literal_part
from tidegate.model.step_key import key_of
from tidegate.model.step_run import STATE_OF, StepState

_FILE = "setup.json"


@dataclass(frozen=True, slots=True)
class _Done:
    """What is remembered of the last setup of this tree: its key, and what it made, as far as that was kept."""

    key: str
    placed: Stamps


class SetupOnce:
    """The setup of one build."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._lock = threading.Lock()
        self._end: StepEnd | None = None
        self.added = 0

    def ensure(self, step: Step) -> StepEnd | None:
        """See to it that the tree is set up for a step, waiting for who does it; how that ended.

        It runs in the image of the first step that asks for it, and as long as that step may. None without a setup.
        """
        setup = self._workshop.keys.setup
        if setup is None:
            return None
        with self._lock:
            if self._end is None:
                self._end = self._set_up(setup, step)
            return self._end

    def _set_up(self, setup: Setup, step: Step) -> StepEnd:
        began = time.monotonic()
        key = key_of(self._workshop.keys.setup_parts(setup, step.image))
        done = self._remembered()
        if not self._workshop.forced:
            if done is not None and done.key == key and self._is_in_place(setup, done):
                return StepEnd(SETUP, StepState.SUCCEEDED, cached=True)
            found = self._found(setup, key, done)
            if found is not None:
                end = StepEnd(SETUP, StepState.SUCCEEDED, True, time.monotonic() - began, origin=found)
                self._workshop.view.ended(end)
                return end
        end = self._run(setup, key, step)
        self._workshop.view.ended(end)
        return end

    def _is_in_place(self, setup: Setup, done: _Done) -> bool:
        """Whether what it made is there. Tools go on writing there, so what is in the files does not count."""
        begins = (literal_part(pattern) for pattern in setup.outputs if not pattern.startswith("!"))
        return all(os.path.lexists(self._workshop.folder / name) for name in (*begins, *done.placed))

    def _found(self, setup: Setup, key: str, done: _Done | None) -> Origin | None:
        """Bring the files of an earlier setup with the same key back."""
        kept = KeptResult.of_json(self._workshop.cache.result(key) if _is_kept(setup) else None)
        if kept is None:
            return None
        before = done.placed if done else {}
        try:
            placed = placing.place(self._workshop.cache, kept.archives, self._workshop.folder, before)
        except placing.NotPlaced:
            return None
        self._remember(_Done(key, placed))
        return kept.origin

    def _run(self, setup: Setup, key: str, step: Step) -> StepEnd:
        # one that fails, or is killed, leaves nobody knows what
        (self._workshop.memory.folder / _FILE).unlink(missing_ok=True)
        self._workshop.view.began(SETUP, 1)
        began, clock = datetime.now(UTC), time.monotonic()
        log = open_log(self._workshop, SETUP)
        try:
            variables = self._workshop.variables.of_setup()
            ended = run(self._workshop, setup.run, log, variables, step.timeout, image=step.image)
        finally:
            log.close()
        state, detail = STATE_OF[ended.outcome], ended.detail
        if ended.outcome is StepOutcome.SUCCEEDED:
            report = StepReport(ended.outcome, 0, "", began, datetime.now(UTC))
            try:
                self._keep(setup, key, report, log.path)
            except NotMade as error:
                state, detail = StepState.FAILED, str(error)
            except OSError as error:
                self._workshop.view.note(f"what setup made could not be kept: {error.strerror}")
        return StepEnd(SETUP, state, seconds=time.monotonic() - clock, detail=detail, log=log.path)

    def _keep(self, setup: Setup, key: str, report: StepReport, log: Path) -> None:
        """Remember that it ran; with inputs and outputs, keep what it made. Raises NotMade, OSError."""
        workshop = self._workshop
        as_step = Step(StepName(SETUP), setup.run, inputs=setup.inputs, outputs=setup.outputs)
        changed = workshop.stillness.broken_by(workshop.keys.files(as_step))
        if changed is not None:
            workshop.view.note(f"{changed} was changed while setup ran; what it made is not kept")
            return
        if not _is_kept(setup):
            self._remember(_Done(key, {}))
            return
        made = keeping.keep(workshop.cache, as_step, workshop.folder, report, workshop.origin(), log)
        workshop.cache.keep_result(key, made.result.as_json())
        self.added = made.size
        self._remember(_Done(key, stamps_at(workshop.folder, made.names)))

    def _remembered(self) -> _Done | None:
        value = sealed.read(self._workshop.memory.folder / _FILE)
        return None if value is None else _Done(value["key"], value["placed"])

    def _remember(self, done: _Done) -> None:
        sealed.write(self._workshop.memory.folder / _FILE, {"key": done.key, "placed": done.placed})


def _is_kept(setup: Setup) -> bool:
    return bool(setup.inputs and setup.outputs)
