"""Handing over what an attempt wrote and how it ended, until the server has it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from tidegate.agent.endings import Dropped, Stopping
from tidegate.agent.server_link import Backoff, Refused, ServerAway, ServerLink
from tidegate.agent.spool import LogSpool
from tidegate.agent.wire import Held, LeaseRequest, ResultAnswer
from tidegate.model.lease import StepReport

_log = logging.getLogger(__name__)

Then = Callable[[], tuple[LeaseRequest | None, tuple[Held, ...]]]
"""What the agent asks for with a result, None where it takes no more, and what it began by itself: asked anew at each
try."""


@dataclass(slots=True)
class HandOver:
    """The log and the result of one attempt, on their way. `stop` and `dropped` are set by other threads."""

    held: Held
    folder: Path
    link: ServerLink
    stop: Event
    dropped: Event
    spool: LogSpool = field(init=False)

    def __post_init__(self) -> None:
        self.spool = LogSpool(self.folder / "log.jsonl")

    def send_log(self) -> None:
        """Send what the server does not have of the log. Raises ServerAway, or Refused."""
        self.spool.send(lambda first, lines: self.link.log(self.held, first, lines))

    def send_some_of_log(self) -> bool:
        """Send a part of that, and say whether there is more. Raises ServerAway, or Refused."""
        return self.spool.send_some(lambda first, lines: self.link.log(self.held, first, lines))

    def deliver(self, report: StepReport, then: Then, keep: Callable[[], object]) -> ResultAnswer:
        """Send the rest of the log and then the report, until the server has them; gives what it answers.

        `keep` has the report on disk, where it is not yet: it is called while the server answers where that is at
        once, and before anything is waited for. Raises Dropped, and Stopping.
        """
        try:
            if self.spool.sent < self.spool.count:
                keep()
            return self._deliver(report, then, keep)
        finally:
            keep()

    def _deliver(self, report: StepReport, then: Then, keep: Callable[[], object]) -> ResultAnswer:
        backoff = Backoff(self.stop)
        while not self.stop.is_set():
            if self.dropped.is_set():
                raise Dropped
            try:
                self.send_log()
                if self.spool.sent == self.spool.count:
                    following, began = then()
                    answer = self.link.result(self.held, report, following, began, keep)
                    if not answer.accepted:
                        _log.info("the server did not take the result of attempt %s", self.held)
                    return answer
            except ServerAway as error:
                keep()
                _log.debug("attempt %s waits for the server: %s", self.held, error)
            except Refused as error:
                _log.info("%s", error)
                raise Dropped from error
            backoff.wait()
        raise Stopping
