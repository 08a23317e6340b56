"""Performing one attempt of a step, from its lease to the moment when the server has its result.

Every phase looks first at what is on disk, so that the same code begins an attempt and goes on with one that an
earlier agent began: no command is started twice.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from threading import Event

from tidegate.agent.checkout import Checkout, CheckoutFailed, CheckoutKey, SourceAway
from tidegate.agent.collect import NotMade, Reports, collect_artifacts, read_reports, read_reports_of_failed
from tidegate.agent.confined import ConfinedFolder
from tidegate.agent.endings import NOT_EXITED, AttemptEnded, Dropped, Stopping, exit_in_words
from tidegate.agent.failed_first import (
    FailedAgain,
    FailedFirst,
    failed_again_in_words,
    follows_in_words,
    remove_reports,
)
from tidegate.agent.follower import Follower
from tidegate.agent.hand_over import HandOver, Then
from tidegate.agent.kept import SETUP, Shelf
from tidegate.agent.lines import CutLine
from tidegate.agent.load_tool import MISSING, MISSING_IN_WORDS, load_environment, load_script, read_load
from tidegate.agent.place import Place
from tidegate.agent.record import AttemptRecord, Part
from tidegate.agent.server_link import Backoff
from tidegate.agent.tools import Tools
from tidegate.agent.transfer import Transfer
from tidegate.agent.wire import Held, ResultAnswer, Taken
from tidegate.model.lease import (
    BuiltFile,
    Lease,
    Mount,
    PolledStep,
    StepHandle,
    StepOutcome,
    StepReport,
)
from tidegate.model.load import LoadReport
from tidegate.runners.runner import StepNotStarted

_log = logging.getLogger(__name__)

_TRIES = 3
_LOOK_SECONDS = 0.2
_AWAY_SECONDS = 900.0
"""How long commits are asked for where the server cannot give them; then the attempt is lost."""


@contextlib.contextmanager
def _not_started_is_failed() -> Iterator[None]:
    try:
        yield
    except StepNotStarted as error:
        raise AttemptEnded(StepOutcome.FAILED, str(error)) from error


@dataclass(slots=True)
class Attempt:
    """One attempt in the hands of this agent. `cancelled` and `dropped` are set by other threads."""

    record: AttemptRecord
    taken: Taken
    tools: Tools
    cancelled: Event = field(default_factory=Event)
    dropped: Event = field(default_factory=Event)
    held: Held = field(init=False)
    """Which attempt it is."""

    handing: HandOver = field(init=False)
    _transfer: Transfer = field(init=False)
    _follower: Follower = field(init=False)
    _checkout: Checkout | None = None
    settled: Event = field(default_factory=Event)
    """Not set while the agent began it by itself, and the server has not said whether it is its own."""

    following: Attempt | None = None
    """What the agent began by itself after this one."""

    promise: tuple[Lease, float] | None = None
    """What it may begin so, and until when, as `time.monotonic` says it."""

    _is_kept: bool | None = None
    """Whether its report is on disk, None before that was tried."""

    _started: set[Part] = field(default_factory=set)
    """The commands that were started: by an earlier agent, or by this one."""

    def __post_init__(self) -> None:
        self.held = self.record.held
        self.settled.set()
        self.handing = HandOver(self.held, self.record.folder, self.tools.link, self.tools.stop, self.dropped)
        self._transfer = Transfer(self.record.folder, self.tools.link, self.tools.stop, self._check_in)
        self._follower = Follower(
            record=self.record,
            spool=self.handing.spool,
            runner=self.tools.runner,
            limits=self.tools.limits,
            timeout=self.lease.step.timeout,
            stop=self.tools.stop,
            cancelled=self.cancelled,
            dropped=self.dropped,
            now=self.tools.now,
        )

    @property
    def lease(self) -> Lease:
        """What it was leased for."""
        return self.taken.lease

    def perform(self, then: Then, go_ahead: Callable[[StepReport], None]) -> ResultAnswer | None:
        """Bring the attempt to its end and its result to the server, and ask with that for what is next; `go_ahead`
        begins before that what may begin by itself.

        Gives what the server answers; None, with everything left as it is, when the agent stops.
        """
        try:
            kept = self.record.report()
            self._is_kept = True if kept else None
            report = kept or self._work()
            self._until_settled(report)
            go_ahead(report)
            return self.handing.deliver(report, then, lambda: self.keep(report))
        except Stopping:
            return None
        except Dropped:
            _log.info("attempt %s is not this agent's any more and is dropped", self.held)
            self._end_commands()
            self._end_sidecars()
            self._give_back()
        return ResultAnswer(accepted=False)

    def promised(self, now: float) -> Lease | None:
        """What may begin by itself after it, by this time."""
        return self.promise[0] if self.promise and now < self.promise[1] else None

    def is_followed_by(self, following: Attempt) -> None:
        """That one began by itself after this one, and the server has not heard of it."""
        self.following = following
        following.settled.clear()

    def drop(self) -> None:
        """It is not this agent's."""
        self.dropped.set()
        self.settled.set()

    def remove(self) -> None:
        """Remove what is left of an attempt that is over."""
        self.record.remove()
        self.tools.surroundings.remove(self.held)

    def _work(self) -> StepReport:
        artifacts: tuple[BuiltFile, ...] = ()
        outputs: BuiltFile | None = None
        reports = Reports()
        load: LoadReport | None = None
        polled = NOT_EXITED
        ended_first = False
        self._started = {part for part in Part if self._handle(part) is not None}
        try:
            self._checkout = self._find_checkout()
            polled = self._run_commands(self._checkout)
            outcome, detail = StepOutcome.SUCCEEDED, ""
            confined = self._confined(self._checkout)
            reports = read_reports(self.lease.step, confined, self.lease.watched_tests)
            load = read_load(self.lease.load, confined) if self.lease.load else None
            artifacts, outputs = self._bring(confined)
            self._shelf(self._checkout, confined.folder).keep_cache(self.lease.step.name, self.lease.step.cache)
        except AttemptEnded as ended:
            outcome, detail, polled = ended.outcome, self._with_fallen(ended.detail), ended.polled
            ended_first = isinstance(ended, FailedAgain)
            if self._checkout is not None and polled.exit_code is not None:
                confined = self._confined(self._checkout)
                reports = read_reports_of_failed(self.lease.step, confined, self.lease.watched_tests)
                if reports.tests and reports.tests.failed_only(self.lease.excused_tests):
                    with contextlib.suppress(NotMade, AttemptEnded, OSError):
                        artifacts, outputs = self._bring(confined)
        except NotMade as error:
            outcome, detail = StepOutcome.FAILED, str(error)
        except OSError as error:
            self._end_commands()
            outcome, detail = StepOutcome.FAILED, f"the agent's disk failed: {error}; look at {self.record.folder}"
        self._end_sidecars()
        began_at = self.taken.at
        return StepReport(
            outcome=outcome,
            exit_code=polled.exit_code,
            detail=detail,
            began_at=began_at,
            ended_at=max(began_at, polled.ended_at or self.tools.now()),
            artifacts=artifacts,
            tests=reports.tests,
            line_coverage=reports.line_coverage,
            outputs=outputs,
            image=self.record.image(),
            ended_first=ended_first,
            load=load,
        )

    def _bring(self, confined: ConfinedFolder) -> tuple[tuple[BuiltFile, ...], BuiltFile | None]:
        """Bring what the step made to the server: its artifacts, and the archive of its outputs. Raises NotMade."""
        artifacts = collect_artifacts(self.lease.step, confined, self._transfer.upload)
        return artifacts, self._transfer.hand_on(self.lease.step, confined)

    def _until_settled(self, report: StepReport) -> None:
        """Wait for what the server says of an attempt that began by itself."""
        if self.settled.is_set():
            return
        self.keep(report)
        while not self.settled.wait(_LOOK_SECONDS):
            if self.tools.stop.is_set():
                raise Stopping
        if self.dropped.is_set():
            raise Dropped

    def keep(self, report: StepReport) -> bool:
        """Have the report on disk, and the checkout free for others: the report is made of it. Whether it is there."""
        if self._is_kept is not None:
            return self._is_kept
        why = f", {report.detail}" if report.detail else ""
        named = (self.held, self.lease.service, self.lease.step.name)
        _log.info("attempt %s of %s, %s: %s%s", *named, report.outcome.value, why)
        try:
            self.record.keep_report(report)
            self._is_kept = True
        except OSError as error:
            self._is_kept = False
            # it is handed over from memory; an agent that is killed before makes it again from what is on disk
            _log.error("the report of attempt %s could not be kept: %s", self.held, error)
        self._give_back()
        return self._is_kept

    def _find_checkout(self) -> Checkout:
        """The checkout to work in: the one in which the attempt began, or a clean one."""
        key = CheckoutKey.of(self.lease)
        if self.taken.boot != self.tools.boot:
            raise AttemptEnded(StepOutcome.LOST, "the agent's machine was started again before the step had ended")
        if self._started:
            name = self.record.checkout()
            adopted = None if name is None else self.tools.checkouts.adopt(name, key)
            if adopted is None:
                raise AttemptEnded(StepOutcome.LOST, "the checkout in which the step ran is gone from the agent's disk")
            return adopted
        return self._take_checkout(key)

    def _take_checkout(self, key: CheckoutKey) -> Checkout:
        tries = 0
        backoff = Backoff(self.tools.stop)
        give_up_at = time.monotonic() + _AWAY_SECONDS
        while True:
            self._check_in()
            try:
                return self.tools.checkouts.take(key)
            except SourceAway as error:
                if time.monotonic() > give_up_at:
                    raise AttemptEnded(StepOutcome.LOST, str(error)) from error
                backoff.wait()
            except CheckoutFailed as error:
                tries += 1
                if tries == _TRIES:
                    raise AttemptEnded(StepOutcome.FAILED, str(error)) from error
                self.tools.stop.wait(0.2 * tries)

    def _run_commands(self, checkout: Checkout) -> PolledStep:
        """Set the checkout up where that is due, and run the step; gives how it ended well."""
        place = Place(checkout.tree)  # all that is needed to follow a command that was started
        if Part.STEP not in self._started:
            if Part.FIRST in self._started:
                self._run_first(checkout, place)
            place = self._ready(checkout)
            self._run_first(checkout, place)
        plan = self.lease.load
        if plan:
            place = replace(place, env={**place.env, **load_environment(plan)})
        polled = self._run(Part.STEP, load_script(plan) if plan else self.lease.step.run, place)
        if plan and polled.exit_code in MISSING:
            raise AttemptEnded(StepOutcome.FAILED, MISSING_IN_WORDS, polled)
        if polled.exit_code != 0:
            raise AttemptEnded(StepOutcome.FAILED, exit_in_words(polled.exit_code or 0), polled)
        return polled

    def _ready(self, checkout: Checkout) -> Place:
        """Where the step runs, with all that it finds there."""
        folder = self._folder_in(checkout, self.lease.path)
        place = self._place(checkout, folder)
        if Part.FIRST not in self._started:
            if not checkout.is_set_up and self.lease.load is None:
                self._set_up(checkout, place)
            self._shelf(checkout, folder).restore_cache(self.lease.step.name, self.lease.step.cache)
            for output in self.lease.outputs:
                self._transfer.bring_output(output, folder, self.tools.checkouts.run_as)
        where = self._folder_in(checkout, f"{self.lease.path}/{self.lease.step.working_directory}")
        return self._beside_sidecars(replace(place, where=where))

    def _run_first(self, checkout: Checkout, place: Place) -> None:
        """Run the tests that failed the last time, unless that is done. Raises AttemptEnded where they fail again."""
        first = FailedFirst(self.lease.step, self.lease.failed_tests)
        if first.script is None or self.record.first_is_over:
            return
        self._heading(Part.FIRST, first.heading)
        polled = self._run(Part.FIRST, first.script, first.place(place, self.record.folder / "failed-tests"))
        confined = self._confined(checkout)
        if failing := first.failing(polled.exit_code, confined):
            raise FailedAgain(StepOutcome.FAILED, failed_again_in_words(failing), polled)
        remove_reports(self.lease.step, confined)
        self.record.keep_first_over()
        self._heading(Part.STEP, follows_in_words(polled.exit_code))

    def _set_up(self, checkout: Checkout, place: Place) -> None:
        if self.lease.setup is not None:
            # begun by an earlier agent, what it changed is not known: the checkout serves this step alone
            is_new = Part.SETUP not in self._started
            shelf = self._shelf(checkout, place.where)
            if is_new:
                checkout.note_before_setup()
                if shelf.restore_setup():
                    self._heading(Part.SETUP, "setup: what it made before is used again")
                    checkout.note_clean()
                    return
                shelf.restore_cache(SETUP, self.lease.setup.cache)
                self._heading(Part.SETUP, "setup")
            polled = self._run(Part.SETUP, self.lease.setup.run, place)
            if polled.exit_code != 0:
                detail = f"setup failed: {exit_in_words(polled.exit_code or 0)}"
                raise AttemptEnded(StepOutcome.FAILED, detail, polled)
            self._heading(Part.STEP, self.lease.step.name)
            shelf.keep_cache(SETUP, self.lease.setup.cache)
            if not is_new:
                return
            shelf.keep_setup()
        checkout.note_clean()

    def _run(self, part: Part, script: str, place: Place) -> PolledStep:
        """Start a command, unless it was started before, and follow it to its end."""
        handle = self._handle(part) if part in self._started else None
        if handle is None:
            self._check_in()
            assert self._checkout is not None  # commands are run in it
            self.record.keep_began(part, self.tools.now(), self._checkout.name)
            with _not_started_is_failed():
                handle = self.tools.runner.start(place.command(script, self.record.folder_of(part)))
            self._started.add(part)
        return self._follower.follow(handle, part)

    def _place(self, checkout: Checkout, where: Path) -> Place:
        """Where the attempt's commands run; their image is there afterwards."""
        env = self._environment()
        image = self.lease.step.image
        if image is None:
            return Place(where, env)
        with _not_started_is_failed():
            self.record.keep_image(self.tools.containers.digest_of(image, self._check_in))
        # not from the environment: a pipeline may say there what it likes
        shared = (checkout.tree, *self.tools.surroundings.folders(self.lease, self.held))
        mounts = tuple(Mount(str(folder)) for folder in shared)
        return Place(where, env, image, (*mounts, Mount(str(self._transfer.artifacts), writable=False)))

    def _beside_sidecars(self, place: Place) -> Place:
        sidecars = self.lease.step.sidecars
        if not sidecars:
            return place
        with _not_started_is_failed():
            beside = self.tools.sidecars.start(
                str(self.record.folder), sidecars, place.image is not None, self._check_in
            )
        return replace(place, env={**place.env, **beside.env}, network=beside.network)

    def _with_fallen(self, detail: str) -> str:
        """Why the attempt ended, with what became of sidecars that ended before it."""
        if not self.lease.step.sidecars:
            return detail
        return "\n".join((detail, *self.tools.sidecars.fallen(str(self.record.folder))))

    def _end_sidecars(self) -> None:
        if self.lease.step.sidecars:
            self.tools.sidecars.remove(str(self.record.folder))

    def _end_commands(self) -> None:
        for part in Part:
            handle = self._handle(part)
            if handle is not None:
                self._follower.end(handle, timedelta(0))

    def _give_back(self) -> None:
        if self._checkout is not None:
            self.tools.checkouts.give_back(self._checkout)
            self._checkout = None

    def _environment(self) -> dict[str, str]:
        """Bring the artifacts in, and give the environment of the attempt's commands."""
        folder = self._transfer.artifacts
        folder.mkdir(mode=0o755, exist_ok=True)
        folder.chmod(0o755)
        for name, digest in self.lease.artifacts.items():
            self._transfer.bring_artifact(name, digest)
        return self.tools.surroundings.environment(self.lease, self.held, folder)

    def _check_in(self) -> None:
        """Raise where the attempt must not go on."""
        if self.tools.stop.is_set():
            raise Stopping
        if self.dropped.is_set():
            raise Dropped
        if self.cancelled.is_set():
            raise AttemptEnded(StepOutcome.CANCELLED, "it was cancelled")

    def _folder_in(self, checkout: Checkout, path: str) -> Path:
        where = checkout.tree / path
        within = where == checkout.tree or where.resolve().is_relative_to(checkout.tree.resolve())
        if not within or not where.is_dir():
            named = "`path` in the pipeline" if path == self.lease.path else "`working_directory` of the step"
            raise AttemptEnded(StepOutcome.FAILED, f"the commit has no folder {path!r} ({named})")
        return where

    def _shelf(self, checkout: Checkout, folder: Path) -> Shelf:
        return Shelf(self.tools.kept, self.lease, self._confined(checkout), folder)

    def _confined(self, checkout: Checkout) -> ConfinedFolder:
        return ConfinedFolder(checkout.tree, self.lease.path, self.tools.checkouts.run_as)

    def _handle(self, part: Part) -> StepHandle | None:
        return self.tools.runner.find(self.record.folder_of(part))

    def _heading(self, part: Part, name: str) -> None:
        if self.handing.spool.position.part != part:
            self.handing.spool.append([CutLine(f"── {name} ──", 0)], part, self.tools.now())
