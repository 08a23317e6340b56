"""What is done to the rehearsal's server while a release goes through it, and what shows that it was found."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tidegate.config.rehearsed import AGENT_STEP
from tidegate.model.rehearsal import Fault
from tidegate.rehearsal.server import RehearsalServer

SERVER_IS_DOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a release: its run as the API tells it, and its rollout where users are."""

    run: dict[str, Any]
    rollout: dict[str, Any] | None

    @property
    def is_judged(self) -> bool:
        """Whether it has users, and is compared."""
        return bool(self.rollout and self.rollout["state"] == "judging")


@dataclass(frozen=True, slots=True)
class Finding:
    """That a fault was found: when, and in which words."""

    at: datetime
    why: str


class Injection(Protocol):
    """A fault from outside. It is shown the release again and again until that is over."""

    put_in_at: datetime | None
    """When the fault was put in, where that is not with the version."""

    def look(self, sight: Sight) -> None:
        """Put the fault in where it is time to."""

    def finding(self, sight: Sight) -> Finding | None:
        """What found it, None where nothing did (yet)."""


def injection(fault: Fault, server: RehearsalServer) -> Injection:
    """What puts this fault in."""
    match fault:
        case Fault.METRICS:
            return FiguresStop(server)
        case Fault.AGENT:
            return AgentKilled(server)
        case Fault.SERVER:
            return ServerKilled(server)
        case _:
            return BadVersion()


@dataclass(slots=True)
class BadVersion:
    """The version has its fault with it: it is found when it is taken back."""

    put_in_at: datetime | None = None

    def look(self, sight: Sight) -> None:
        """Nothing is to be done."""

    def finding(self, sight: Sight) -> Finding | None:
        """The decision to take it back."""
        rollout = sight.rollout
        if rollout is None or not rollout["decided_at"]:
            return None
        return Finding(datetime.fromisoformat(rollout["decided_at"]), (rollout["cause"] or {}).get("text", ""))


@dataclass(slots=True)
class ServerKilled(BadVersion):
    """The server is killed as soon as the bad version has users, and is away for a while."""

    server: RehearsalServer = field(kw_only=True)

    def __init__(self, server: RehearsalServer) -> None:
        self.put_in_at = None
        self.server = server

    def look(self, sight: Sight) -> None:
        """Kill it once, and start it again."""
        if self.put_in_at is None and sight.is_judged:
            self.put_in_at = datetime.now(UTC)
            self.server.kill()
            time.sleep(SERVER_IS_DOWN_SECONDS)
            self.server.start_again()


class FiguresStop:
    """The router's figures are away from when the version is judged until the rollout says that it sees none."""

    def __init__(self, server: RehearsalServer) -> None:
        self._server = server
        self._step: int | None = None
        self._held_before: str | None = None
        self._found: Finding | None = None
        self.put_in_at: datetime | None = None

    def look(self, sight: Sight) -> None:
        """Take the figures away once; give them back when that was found, or when it went on without them."""
        if self.put_in_at is None and sight.is_judged:
            assert sight.rollout is not None
            self._step, self._held_before = sight.rollout["step"], sight.rollout["holds_because"]
            self.put_in_at = datetime.now(UTC)
            self._server.stop_figures()
        elif self.put_in_at and (self.finding(sight) or self._went_on(sight)):
            self._server.go_on_with_figures()

    def finding(self, sight: Sight) -> Finding | None:
        """That the rollout holds because it has no figures."""
        holds = sight.rollout["holds_because"] if sight.rollout else None
        if (
            self._found is None
            and self.put_in_at
            and holds not in (None, self._held_before)
            and not self._went_on(sight)
        ):
            self._found = Finding(datetime.now(UTC), f"it holds: {holds}")
        return self._found

    def _went_on(self, sight: Sight) -> bool:
        return sight.rollout is None or sight.rollout["step"] != self._step or sight.rollout["state"] != "judging"


class AgentKilled:
    """The agent is killed while it performs a step; what it performs goes on, or is performed again."""

    def __init__(self, server: RehearsalServer) -> None:
        self._server = server
        self._found: Finding | None = None
        self.put_in_at: datetime | None = None

    def look(self, sight: Sight) -> None:
        """Kill it once."""
        step = self._step(sight)
        if self.put_in_at is None and step and step["state"] == "running":
            self.put_in_at = datetime.now(UTC)
            self._server.kill_agent()

    def finding(self, sight: Sight) -> Finding | None:
        """That the step came to its end all the same."""
        step = self._step(sight)
        if self._found is None and self.put_in_at and step and step["state"] == "succeeded":
            again = f", at the attempt {step['attempt']}" if step["earlier"] else ": it went on without its agent"
            self._found = Finding(datetime.fromisoformat(step["ended_at"]), f"the step succeeded{again}")
        return self._found

    def _step(self, sight: Sight) -> dict[str, Any] | None:
        return next((one for one in sight.run["steps"] if one["name"] == AGENT_STEP), None)
