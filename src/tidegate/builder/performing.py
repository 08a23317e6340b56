"""Performing one step: its result is brought back from the cache, or it runs and its result is kept."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidegate.agent.collect import NotMade, read_reports_of_failed
from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.failed_first import FailedFirst, failed_again_in_words, follows_in_words
from tidegate.builder import keeping, placing
from tidegate.builder.command import Ended
from tidegate.builder.job import Done, Job, restored, without_running
from tidegate.builder.running import open_log, run
from tidegate.builder.setup_once import SetupOnce
from tidegate.builder.stamps import stamp_at, stamps_at
from tidegate.builder.tree_memory import Execution, StepMemory
from tidegate.builder.view import StepEnd
from tidegate.builder.workshop import Workshop
from tidegate.model.lease import StepOutcome, StepReport
from tidegate.model.pipeline import RetryCause
from tidegate.model.step_key import made_by
from tidegate.model.step_run import STATE_OF, StepState

_CAUSES = {StepState.TIMED_OUT: RetryCause.TIMEOUT, StepState.FAILED: RetryCause.FAILED}


def perform(workshop: Workshop, setup: SetupOnce, job: Job) -> Done:
    """Bring the step to its end."""
    began = time.monotonic()
    if job.found is not None:
        try:
            placed = placing.place(workshop.cache, job.found.archives, workshop.folder, job.memory.placed)
            return restored(job, job.found, placed, time.monotonic() - began)
        except placing.NotPlaced as error:
            workshop.view.note(f"{job.step.name} runs again: {error}")
    missing = workshop.keys.missing_input(job.step)
    if missing is not None:
        return without_running(job.step, job.memory, StepState.FAILED, missing)
    ended = setup.ensure(job.step)
    if ended is not None and not ended.is_good:
        was_cancelled = ended.state is StepState.CANCELLED
        detail = "it was cancelled before it ran" if was_cancelled else f"setup failed: {ended.detail}"
        return without_running(job.step, job.memory, ended.state, detail)
    if workshop.stop.asked:
        return without_running(job.step, job.memory, StepState.CANCELLED, "it was cancelled before it ran")
    return _Run(workshop, job).run()


class _Run:
    """The running of a step, once or, where its `retry` says so, again."""

    def __init__(self, workshop: Workshop, job: Job) -> None:
        self._workshop = workshop
        self._job = job
        self._step = job.step
        self._clock = time.monotonic()
        self._failed_tests = job.memory.failed
        self._log = open_log(workshop, job.step.name)

    def run(self) -> Done:
        try:
            done = self._attempt(1)
            for attempt in range(2, self._step.retry.attempts + 1):
                if not self._is_tried_again(done):
                    break
                self._log.say(f"{done.end.detail}: attempt {attempt} follows")
                done = self._attempt(attempt)
        finally:
            self._log.close()
        return done

    def _is_tried_again(self, done: Done) -> bool:
        return _CAUSES.get(done.end.state) in self._step.retry.causes and not self._workshop.stop.asked

    def _attempt(self, attempt: int) -> Done:
        self._workshop.view.began(self._step.name, attempt)
        self._remove_stale()
        began = datetime.now(UTC)
        clock = time.monotonic()
        ended = first = self._run_first(attempt)
        if ended is None:
            ended = self._run_script(self._step.run, attempt, taken=timedelta(seconds=time.monotonic() - clock))
        report = StepReport(
            ended.outcome,
            ended.exit_code,
            ended.detail,
            began,
            datetime.now(UTC),
            image=ended.image,
            ended_first=first is not None,
        )
        if ended.outcome is not StepOutcome.SUCCEEDED:
            return self._failed(report)
        try:
            return self._succeeded(keeping.report_of(self._step, self._workshop.folder, report))
        except NotMade as error:
            self._log.say(str(error))
            return self._failed(replace(report, outcome=StepOutcome.FAILED, detail=str(error)))

    def _run_first(self, attempt: int) -> Ended | None:
        """Run the tests that failed the last time; None where `run` follows."""
        first = FailedFirst(self._step, self._failed_tests)
        if first.script is None:
            return None
        self._log.say(first.heading)
        ended = self._run_script(first.script, attempt, self._failed_tests)
        if ended.exit_code is None:
            return ended
        if failing := first.failing(ended.exit_code, ConfinedFolder(self._workshop.folder)):
            return replace(ended, detail=failed_again_in_words(failing))
        self._remove_stale()
        self._log.say(follows_in_words(ended.exit_code))
        return None

    def _run_script(
        self, script: str, attempt: int, failed_tests: tuple[str, ...] = (), taken: timedelta = timedelta(0)
    ) -> Ended:
        step = self._step
        variables = self._workshop.variables.of_step(step, attempt)
        return run(
            self._workshop,
            script,
            self._log,
            variables,
            step.timeout,
            directory=step.working_directory,
            image=step.image,
            sidecars=step.sidecars,
            failed_tests=failed_tests,
            taken=taken,
        )

    def _remove_stale(self) -> None:
        """Remove what an earlier run left of its reports and artifacts: they would pass for those of this one."""
        folder, placed = self._workshop.folder, self._job.memory.placed
        found = [self._step.coverage] if self._step.coverage is not None else []
        with suppress(Escape):
            found += ConfinedFolder(folder).matches(self._step.junit) if self._step.junit is not None else []
            made = [path for one in self._step.artifacts.values() for path in ConfinedFolder(folder).matches(one)]
            found += [path for path in made if placed.get(path) == stamp_at(folder / path)]
        for path in found:
            if not self._workshop.keys.listing.matched([path]) and not (folder / path).is_dir():
                (folder / path).unlink(missing_ok=True)

    def _succeeded(self, report: StepReport) -> Done:
        changed = self._workshop.stillness.broken_by(self._workshop.keys.files(self._step)) if self._job.key else None
        if changed is not None:
            self._workshop.view.note(f"{changed} was changed while {self._step.name} ran; its result is not kept")
        if self._job.key is None or changed is not None:
            return self._unkept(report)
        origin = self._workshop.origin()
        try:
            cache, folder = self._workshop.cache, self._workshop.folder
            made = keeping.keep(cache, self._step, folder, report, origin, self._log.path)
            cache.keep_result(self._job.key, made.result.as_json())
        except OSError as error:
            self._workshop.view.note(f"what {self._step.name} made could not be kept: {error.strerror or error}")
            return self._done(report, None, self._memory(report).forgets_result())
        memory = replace(
            self._memory(report),
            key=self._job.key,
            kept=made.result,
            placed=stamps_at(self._workshop.folder, made.names),
        )
        return self._done(made.result.report, made_by(made.result.report), memory, made)

    def _unkept(self, report: StepReport) -> Done:
        workshop = self._workshop
        try:
            made = keeping.look_at(workshop.cache, self._step, workshop.folder, report)
        except OSError as error:
            workshop.view.note(f"what {self._step.name} made could not be read: {error.strerror or error}")
            return self._done(report, None, self._memory(report).forgets_result())
        memory = replace(self._memory(report).forgets_result(), placed=stamps_at(workshop.folder, made.names))
        return self._done(made.result.report, made_by(made.result.report), memory, made)

    def _failed(self, report: StepReport) -> Done:
        reports = read_reports_of_failed(self._step, ConfinedFolder(self._workshop.folder))
        report = replace(report, tests=reports.tests, line_coverage=reports.line_coverage)
        return self._done(report, made_by(report), self._memory(report).forgets_result())

    def _done(
        self, report: StepReport, made: str | None, memory: StepMemory, kept: keeping.Collected | None = None
    ) -> Done:
        end = StepEnd(
            self._step.name,
            STATE_OF[report.outcome],
            seconds=time.monotonic() - self._clock,
            report=report,
            detail=report.detail,
            artifact_paths=kept.result.artifact_paths if kept else (),
            log=self._log.path,
            may_fail=self._step.allow_failure,
        )
        return Done(self._step, end, memory, made, kept.size if kept else 0)

    def _memory(self, report: StepReport) -> StepMemory:
        """What is remembered of this execution, beside its result."""
        job = self._job
        self._failed_tests = report.tests.failures if report.tests else self._failed_tests
        state = STATE_OF[report.outcome]
        patterns = self._workshop.keys.patterns(job.step)
        ran = Execution(time.time(), job.parts or {}, patterns, self._workshop.listing_blob, state)
        memory = replace(job.memory, ran=ran, before=job.memory.ran, failed=self._failed_tests)
        return replace(memory, state=state, has_run=True, cached=False, why=job.why)
