"""A build: each step when what it needs has ended, from the cache or run, several at a time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tidegate.builder.agenda import Agenda
from tidegate.builder.cache import USE_NOTED_SECONDS
from tidegate.builder.job import FORCED, UNKNOWN_NEEDS, Done, Job, restored, without_running
from tidegate.builder.kept_result import KeptResult
from tidegate.builder.keys import files_of
from tidegate.builder.stamps import stamps_at
from tidegate.builder.tree_memory import StepMemory
from tidegate.builder.view import StepEnd
from tidegate.builder.workshop import Workshop
from tidegate.model.ids import StepName
from tidegate.model.pipeline import Step
from tidegate.model.step_inputs import Listing
from tidegate.model.step_key import key_of
from tidegate.model.step_run import StepState

if TYPE_CHECKING:
    from tidegate.builder.setup_once import SetupOnce


class Build:
    """One build of these steps. At most `jobs` run at a time; with `keep_going`, others go on beside a failed one."""

    def __init__(self, steps: Sequence[Step], workshop: Workshop, jobs: int = 1, keep_going: bool = False) -> None:
        self._steps = steps
        self._workshop = workshop
        self._jobs = jobs
        self._keep_going = keep_going
        self._agenda = Agenda(steps)
        self._done: dict[StepName, Done] = {}
        self._waiting: list[Job] = []
        self._running: dict[StepName, Job] = {}
        self._ended: SimpleQueue[tuple[Job, Done | BaseException]] = SimpleQueue()
        self._halted = False
        self._setup: SetupOnce | None = None

    def run(self) -> tuple[StepEnd, ...]:
        """Build; how each step ended, in the order of the file."""
        try:
            self._advance()
            while self._running:
                self._take(*self._ended.get())
                self._advance()
        except BaseException:
            self._end_running()
            raise
        finally:
            self._forget_the_doubtful()
            self._remember()
        return tuple(self._done[step.name].end for step in self._steps)

    def _advance(self) -> None:
        """Do all that can be done before one more step has ended."""
        while True:
            self._decide_all()
            if self._workshop.stop.asked or self._halted:
                self._drop_waiting(StepState.CANCELLED if self._workshop.stop.asked else StepState.SKIPPED)
            self._start_some()
            if self._running or len(self._done) == len(self._steps):
                return

    def _decide_all(self) -> None:
        while (step := self._agenda.next()) is not None:
            state, detail = self._state_before(step)
            if state is not None:
                self._finish(without_running(step, self._workshop.memory.of(step.name), state, detail))
            else:
                self._decide(self._job(step))

    def _state_before(self, step: Step) -> tuple[StepState | None, str]:
        """How a step ends without any work, and why; None where there is work."""
        needed = [self._done[name] for name in step.needs]
        bad = next((one for one in needed if not one.end.is_good), None)
        if self._workshop.stop.asked:
            return StepState.CANCELLED, ""
        if bad is not None:
            return StepState.SKIPPED, f"it needs {bad.step.name}"
        if self._halted:
            return StepState.SKIPPED, ""
        if step.condition is None:
            return None, ""
        return self._by_condition(step.condition, needed)

    def _by_condition(self, condition: str, needed: Sequence[Done]) -> tuple[StepState | None, str]:
        from tidegate.model.condition import ConditionEvidence, ConditionFailed, NeededStep, holds

        variables, head = self._workshop.variables, self._workshop.head
        needs = {str(one.step.name): NeededStep(one.end.state, one.end.cached) for one in needed}
        try:
            # what git has to be asked for costs time
            author = head.author if "author" in condition else None
            changed = head.changed if "changed" in condition else None
            evidence = ConditionEvidence(variables.branch, "push", author, changed, needs)
            return (None if holds(condition, evidence) else StepState.LEFT_OUT), ""
        except ConditionFailed as error:
            return StepState.FAILED, f"its `if` has no answer: {error}"

    def _job(self, step: Step) -> Job:
        """What is to be done for a step, as far as keys and the cache tell."""
        memory = self._workshop.memory.of(step.name)
        why = FORCED if self._workshop.forced else ""
        if not step.is_cacheable:
            return Job(step, memory, why=why)
        made = {name: self._done[name].made for name in step.needs}
        known = {name: one for name, one in made.items() if one is not None}
        if len(known) < len(made):
            return Job(step, memory, why=why or UNKNOWN_NEEDS)
        parts = self._workshop.keys.parts(step, known, self._workshop.variables.of_inputs(step))
        key = key_of(parts)
        return Job(step, memory, parts, key, None if why else self._found(key, memory), why)

    def _found(self, key: str, memory: StepMemory) -> KeptResult | None:
        if memory.key == key:
            return memory.kept
        return KeptResult.of_json(self._workshop.cache.result(key))

    def _decide(self, job: Job) -> None:
        """Finish a step whose result is in place; others wait for their turn."""
        placed = job.memory.placed
        is_placed = job.found is not None and job.memory.key == job.key
        if is_placed and stamps_at(self._workshop.folder, placed) == placed:
            assert job.found is not None
            self._finish(restored(job, job.found, placed, 0.0))
        else:
            self._waiting.append(job)

    def _start_some(self) -> None:
        groups = Counter(_group_of(job.step) for job in self._running.values())
        for job in list(self._waiting):
            group = _group_of(job.step)
            limit = job.step.concurrency.limit if job.step.concurrency else self._jobs
            if len(self._running) < self._jobs and (not group or groups[group] < limit):
                groups[group] += 1
                self._waiting.remove(job)
                self._start(job)

    def _start(self, job: Job) -> None:
        # what a build without anything to run does not need
        from tidegate.builder.performing import perform
        from tidegate.builder.setup_once import SetupOnce

        setup = self._setup = self._setup or SetupOnce(self._workshop)
        if job.found is None:
            self._workshop.before_running()
        self._running[job.step.name] = job

        def work() -> None:
            try:
                self._ended.put((job, perform(self._workshop, setup, job)))
            except BaseException as error:
                self._ended.put((job, error))

        threading.Thread(target=work, name=job.step.name).start()

    def _take(self, job: Job, ended: Done | BaseException) -> None:
        del self._running[job.step.name]
        if isinstance(ended, BaseException):
            raise ended
        self._finish(ended)

    def _drop_waiting(self, state: StepState) -> None:
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._finish(without_running(job.step, job.memory, state))

    def _finish(self, done: Done) -> None:
        self._done[done.step.name] = done
        self._workshop.memory.steps[done.step.name] = done.memory
        self._agenda.end(done.step.name)
        self._workshop.view.ended(done.end)
        if done.end.state in (StepState.FAILED, StepState.TIMED_OUT) and not done.end.is_good:
            self._halted = not self._keep_going

    def _end_running(self) -> None:
        """Something is wrong in Tidegate itself: leave nothing running."""
        self._workshop.stop.ask()
        self._workshop.stop.ask()
        for _ in self._running:
            self._ended.get()

    def _forget_the_doubtful(self) -> None:
        """Forget the results of steps among whose inputs files appeared while they ran: they may be made of them."""
        workshop = self._workshop
        kept = [done for done in self._done.values() if done.memory.has_run and done.memory.key]
        appeared = workshop.appeared() if kept else Listing()
        for done in kept if appeared.files else ():
            new = files_of(appeared, workshop.keys.patterns(done.step))
            if new:
                workshop.view.note(f"{new[0].path} appeared while {done.step.name} ran; its result is not kept")
                workshop.cache.forget(done.memory.key)
                workshop.memory.steps[done.step.name] = done.memory.forgets_result()

    def _remember(self) -> None:
        """Write down what the next build should know, and keep the cache within its size."""
        cache, memory = self._workshop.cache, self._workshop.memory
        now = time.time()
        if now - memory.uses_noted_at > USE_NOTED_SECONDS:
            memory.uses_noted_at = now
            for done in self._done.values():
                if done.end.cached:
                    cache.note_use(done.memory.key)
        added = sum(done.added for done in self._done.values()) + (self._setup.added if self._setup else 0)
        try:
            memory.write()
            if added:
                from tidegate.builder import sweep

                sweep.account(cache, added)
        except OSError as error:
            self._workshop.view.note(f"the cache {cache.root} cannot be written: {error.strerror or error}")


def _group_of(step: Step) -> str:
    return step.concurrency.group if step.concurrency else ""


def state_of(ends: Sequence[StepEnd]) -> StepState:
    """How a build ended whose steps ended so."""
    if any(end.state is StepState.CANCELLED for end in ends):
        return StepState.CANCELLED
    return StepState.SUCCEEDED if all(end.is_good for end in ends) else StepState.FAILED
