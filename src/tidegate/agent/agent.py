"""The agent: leases step runs from a server and performs them.

Its threads: one asks for leases, one renews those that it has, one sends logs, one removes what is over, and one
performs each attempt, which asks for what is next when it hands its result over. All that matters is on disk before it
is done, so that a killed agent is only a delay.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue
from threading import Condition, Event, Thread

from tidegate.agent.attempt import Attempt
from tidegate.agent.folder import locked, make_folder
from tidegate.agent.record import AttemptRecord, Part, remove_tree
from tidegate.agent.server_link import Backoff, Refused, ServerAway, TurnedAway
from tidegate.agent.settings import AgentSettings, about
from tidegate.agent.signals import on_signals
from tidegate.agent.tools import Tools, tools_for
from tidegate.agent.wire import Held, LeaseRequest, ResultAnswer, Taken, held_by
from tidegate.model.ids import StepRunId
from tidegate.model.lease import Lease, StepOutcome, StepReport
from tidegate.model.step_ahead import PROMISED_FOR, Promise

_log = logging.getLogger(__name__)

_RENEW_SECONDS = 1.0
_SEND_SECONDS = 0.25
_REST_SECONDS = 0.01
_JOIN_SECONDS = 2.0
_SAY_AGAIN_SECONDS = 10.0
_NOTHING = ResultAnswer(accepted=False)


def run(settings: AgentSettings) -> None:
    """Perform steps for the server until SIGTERM or SIGINT; running commands are left alone then.

    SIGQUIT ends it as well, once it has performed what it has; until then it takes no more. Raises AgentAlreadyRuns.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it says a line for each request
    stop = Event()
    leave = Event()
    on_signals({signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGQUIT: leave.set})
    make_folder(settings.folder)
    with locked(settings.folder):
        agent = Agent.at(settings, stop)
        Thread(target=agent.leave_when, args=(leave,), name="leave", daemon=True).start()
        agent.run()


@dataclass(slots=True)
class Agent:
    """A running agent. `attempts` holds what it performs; `changed` guards it, and tells of its changes and of
    `leaving`: it is to take no more, and to stop when it has none."""

    settings: AgentSettings
    tools: Tools
    about: LeaseRequest
    leaving: bool = False
    attempts: dict[Held, Attempt] = field(default_factory=dict)
    changed: Condition = field(default_factory=Condition)
    _over: SimpleQueue[Attempt | None] = field(default_factory=SimpleQueue)
    _threads: list[Thread] = field(default_factory=list)
    _trouble: type[Exception] | None = None

    @classmethod
    def at(cls, settings: AgentSettings, stop: Event) -> Agent:
        """An agent with these settings, which runs until `stop` is set."""
        return cls(settings, tools_for(settings, stop), about(settings))

    def run(self) -> None:
        """Go on with what earlier agents left, then ask for more, until `stop` is set."""
        settings = self.settings
        self._adopt()
        remover = Thread(target=self._remove, name="remove", daemon=True)
        remover.start()
        for work in (self._lease, self._renew, self._send_logs):
            Thread(target=work, name=work.__name__.strip("_"), daemon=True).start()
        _log.info(
            "agent %s performs up to %d steps for %s", self.settings.name, self.settings.slots, self.tools.link.url
        )
        self.tools.stop.wait()
        with self.changed:
            self.changed.notify_all()
            left = list(self._threads)
        for thread in left:
            thread.join(_JOIN_SECONDS)
        self._over.put(None)
        remover.join(_JOIN_SECONDS)
        _log.info("agent %s stops; %d steps go on without it", settings.name, len(self.attempts))

    def leave_when(self, asked: Event) -> None:
        """Once that is asked, take no more, and stop when there is none left."""
        asked.wait()
        _log.info("agent %s takes no more steps, and stops when it has none left", self.settings.name)
        with self.changed:
            self.leaving = True
            self.changed.notify_all()

    def _adopt(self) -> None:
        """Take over the attempts of earlier agents, and remove what belongs to none."""
        folder = self.settings.folder / "attempts"
        for gone in folder.glob(".gone-*"):
            remove_tree(gone)
        records = AttemptRecord.all_in(folder)
        kept = [record for record in records if any(self._was_started(record, part) for part in Part)]
        self.tools.checkouts.remove_all_but(name for record in kept if (name := record.checkout()))
        self.tools.surroundings.remove_all_but([record.held for record in records])
        self.tools.containers.remove_all_but(record.folder_of(part) for record in records for part in Part)
        attempts: dict[Held, Attempt] = {}
        for record in records:
            try:
                taken = record.taken()
            except ValueError as error:
                # it is not among what this agent says that it holds, so the server learns that it is lost
                _log.error("attempt %s cannot be taken over: %s", record.held, error)
                record.remove()
                continue
            _log.info("attempt %s is taken over", record.held)
            attempts[record.held] = Attempt(record, taken, self.tools)
        pairs = [(attempts.get(one.taken.after) if one.taken.after else None, one) for one in attempts.values()]
        for before, attempt in pairs:
            if before:
                before.is_followed_by(attempt)
        # only now, so that no result is handed over without what followed it
        for before, attempt in pairs:
            if before:
                self._start_ahead(attempt)
            else:
                self._begin([attempt], has_begun=True)

    def _was_started(self, record: AttemptRecord, part: Part) -> bool:
        return self.tools.runner.find(record.folder_of(part)) is not None

    def _begin(
        self,
        attempts: Sequence[Attempt],
        instead_of: Attempt | None = None,
        answer: ResultAnswer = _NOTHING,
        has_begun: bool = False,
    ) -> Attempt | None:
        """Perform these attempts from now on; the slot of the one that has ended is never seen free between.

        Gives the one for the thread of the ended one, which is there already; None where there is none.
        """
        own = attempts[0] if attempts and instead_of else None
        threads = [self._thread(one, has_begun) for one in attempts if one is not own]
        with self.changed:
            before = len(self.attempts)
            if instead_of is not None:
                self.attempts.pop(instead_of.held, None)
            self.attempts |= {one.held: one for one in attempts}
            if instead_of and instead_of.following:
                self._settle(instead_of.following, answer)
            self._drop_older()
            self._note_promises(answer.promises)
            self._threads = [*(one for one in self._threads if one.is_alive()), *threads]
            # where one takes the place of another there is nobody to be woken, but whoever waits for a slot
            if len(self.attempts) != before or before > self.settings.slots:
                self.changed.notify_all()
            for thread in threads:
                thread.start()
        return own

    def _thread(self, attempt: Attempt, has_begun: bool) -> Thread:
        return Thread(target=self._perform, args=(attempt, has_begun), name=str(attempt.held), daemon=True)

    def _go_ahead(self, ended: Attempt, report: StepReport) -> None:
        """Begin what was promised after an attempt that succeeded, before the server has heard of that."""
        lease = ended.promised(time.monotonic())
        if lease is None or ended.following or report.outcome is not StepOutcome.SUCCEEDED or self.leaving:
            return
        # what follows must be known to follow a success, also to the next agent
        if ended.keep(report) and (following := self._keep(lease, after=ended.held)):
            with self.changed:
                ended.is_followed_by(following)
            self._start_ahead(following)

    def _start_ahead(self, following: Attempt) -> None:
        """Perform an attempt that is this agent's own only when the server has heard of the one before it."""
        thread = self._thread(following, has_begun=True)
        with self.changed:
            self._threads.append(thread)
        thread.start()

    def _settle(self, following: Attempt, answer: ResultAnswer) -> None:
        if answer.gives(following.held):
            self.attempts[following.held] = following
            following.settled.set()
        else:
            following.drop()

    def _note_promises(self, promises: Sequence[Promise]) -> None:
        until = time.monotonic() + PROMISED_FOR.total_seconds()
        for promise in promises:
            for held, attempt in self.attempts.items():
                if held.step_run == promise.after:
                    attempt.promise = (promise.lease, until)

    def _drop_older(self) -> None:
        """A step that was leased to this agent again is performed under its newest fence only."""
        newest = {held.step_run: held for held in sorted(self.attempts)}
        for held, attempt in self.attempts.items():
            if held != newest[held.step_run]:
                attempt.dropped.set()

    def _perform(self, attempt: Attempt, has_begun: bool) -> None:
        """Perform an attempt, and what comes in its place."""
        following: Attempt | None = attempt
        while following:
            following = self._perform_one(following, has_begun)
            has_begun = False

    def _perform_one(self, attempt: Attempt, has_begun: bool) -> Attempt | None:
        answer, following = None, None
        try:
            if not has_begun:
                self._wait_for_slot_of(attempt)
            answer = attempt.perform(lambda: self._ask_instead_of(attempt), partial(self._go_ahead, attempt))
        except Exception:
            # a defect of ours: the record stays for the next agent, and the server sees that nobody holds it
            _log.exception("attempt %s could not be performed", attempt.held)
        if answer is not None or not self.tools.stop.is_set():
            following = self._go_on(attempt, answer or _NOTHING)
        if answer is not None:
            self._over.put(attempt)
        return following

    def _remove(self) -> None:
        """Remove what is over: a moment later, so that what begins in its place does not wait for that."""
        while attempt := self._over.get():
            self.tools.stop.wait(_REST_SECONDS)
            try:
                attempt.remove()
            except OSError as error:
                _log.error("what is left of attempt %s could not be removed: %s", attempt.held, error)

    def _lease(self) -> None:
        """Ask for work, from one thread: what an answer brings and the next request does not name, the server takes for
        lost on its way."""
        backoff = Backoff(self.tools.stop)
        while (asked := self._ask_once_free()) is not None:
            try:
                leases = self.tools.link.lease(asked)
            except (ServerAway, Refused) as error:
                self._note_trouble(error)
                if isinstance(error, Refused):
                    self._stop_when_done(asked)
                backoff.wait()
                continue
            self._note_answer(gives_work=True)
            backoff = Backoff(self.tools.stop)
            self._take(leases)
            if not leases:
                self._stop_when_done(asked)

    def _stop_when_done(self, asked: LeaseRequest) -> None:
        """Where the agent is to leave, and the server has heard so and gives it nothing more."""
        if not asked.draining:
            return
        with self.changed:
            if self.changed.wait_for(lambda: not self.attempts, _SAY_AGAIN_SECONDS):
                self.tools.stop.set()

    def _take(self, leases: Collection[Lease]) -> None:
        """Keep leases and perform them."""
        self._begin([attempt for lease in leases if (attempt := self._keep(lease))])

    def _go_on(self, ended: Attempt, answer: ResultAnswer) -> Attempt | None:
        """Perform in the place of an attempt that has ended what the answer to its result brings; see `_begin`."""
        began = ended.following.held if ended.following else None
        new = (lease for lease in answer.leases if held_by(lease) != began)
        return self._begin([attempt for lease in new if (attempt := self._keep(lease))], ended, answer)

    def _keep(self, lease: Lease, after: Held | None = None) -> Attempt | None:
        held = held_by(lease)
        with self.changed:
            if held in self.attempts:
                return None
        try:
            taken = Taken(lease, self.tools.boot, self.tools.now(), after)
            return Attempt(AttemptRecord.create(self.settings.folder / "attempts", taken), taken, self.tools)
        except (OSError, ValueError) as error:
            _log.error("the lease of %s cannot be kept and is left to others: %s", held, error)
            self.tools.stop.wait(_RENEW_SECONDS)
            return None

    def _renew(self) -> None:
        while self._wait_for_attempts():
            try:
                answer = self.tools.link.renew(self._held())
            except (ServerAway, Refused) as error:
                self._note_trouble(error)
            else:
                self._note_answer(gives_work=False)
                for attempt in self._of(answer.cancel):
                    attempt.cancelled.set()
                for attempt in self._of(answer.refused):
                    attempt.dropped.set()
            self.tools.stop.wait(_RENEW_SECONDS)

    def _send_logs(self) -> None:
        while attempts := self._wait_for_attempts():
            has_more = False
            for attempt in attempts:  # a part of each in turn: no log waits for one that is long
                try:
                    has_more |= attempt.handing.send_some_of_log()
                except ServerAway as error:
                    self._note_trouble(error)
                    has_more = False
                    break
                except Refused as error:
                    _log.info("%s", error)
                    attempt.dropped.set()
                except OSError as error:
                    _log.error("the log of attempt %s cannot be read: %s", attempt.held, error)
            if not has_more:
                self.tools.stop.wait(_SEND_SECONDS)

    def _held(self) -> list[Held]:
        with self.changed:
            return sorted(self.attempts)

    def _of(self, step_runs: Collection[StepRunId]) -> list[Attempt]:
        with self.changed:
            return [attempt for held, attempt in self.attempts.items() if held.step_run in step_runs]

    def _ask_once_free(self) -> LeaseRequest | None:
        """What to ask for, once a slot is free or the agent is to leave; None when it is to stop."""
        stop = self.tools.stop.is_set
        with self.changed:
            self.changed.wait_for(lambda: stop() or self.leaving or len(self.attempts) < self.settings.slots)
            return None if stop() else self._ask(self.attempts, len(self.attempts))

    def _ask_instead_of(self, ended: Attempt) -> tuple[LeaseRequest | None, tuple[Held, ...]]:
        """What to ask for with the result of an attempt, whose slot is free by that where nothing began in it by
        itself, and what did. None where nothing may begin, and nothing did."""
        began = (ended.following.held,) if ended.following else ()
        with self.changed:
            others = self.attempts.keys() - {ended.held}
            asked = self._ask(others, len(others) + len(began))
        return (asked if asked.slots_free or began else None), began

    def _ask(self, held: Collection[Held], slots_taken: int) -> LeaseRequest:
        """What to ask for; also what began by itself is named, so that it is not given again."""
        no_more = self.leaving or self.tools.stop.is_set()
        free = 0 if no_more else max(0, self.settings.slots - slots_taken)
        began = (one.following.held for one in self.attempts.values() if one.following)
        return replace(self.about, slots_free=free, held=tuple(sorted({*held, *began})), draining=self.leaving)

    def _wait_for_slot_of(self, attempt: Attempt) -> None:
        """Steps come by two ways: should they be more than there are slots, the last ones wait for the first."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.tools.stop.is_set() or list(self.attempts).index(attempt.held) < self.settings.slots
            )

    def _wait_for_attempts(self) -> list[Attempt]:
        """The attempts, once there is one; none when the agent is to stop."""
        with self.changed:
            self.changed.wait_for(lambda: self.tools.stop.is_set() or self.attempts)
            return [] if self.tools.stop.is_set() else list(self.attempts.values())

    def _note_trouble(self, error: ServerAway | Refused) -> None:
        """Say once that the server is away, turns the agent away, or gives no work."""
        if self._trouble is type(error):
            return
        self._trouble = type(error)
        if isinstance(error, Refused):
            _log.error("the server gives this agent no work: %s", error)
        elif isinstance(error, TurnedAway):
            _log.error("the server turns this agent away; steps go on and results are kept meanwhile: %s", error)
        else:
            _log.warning("the server does not answer; steps go on and results are kept until it does: %s", error)

    def _note_answer(self, *, gives_work: bool) -> None:
        """Say once that the server is back. One that gives no work answers other requests as always."""
        if self._trouble is None or (self._trouble is Refused and not gives_work):
            return
        self._trouble = None
        _log.info("the server answers again")
