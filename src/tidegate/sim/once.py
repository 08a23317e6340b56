"""Every event once: a crash is only a delay, and leaves nothing twice in the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection

from tidegate.model.event import EventKind, RecordedEvent
from tidegate.sim.broken import RuleBroken

Name = tuple[str, ...]


class Once:
    """Counts what may happen only so often."""

    def __init__(self) -> None:
        self._seen: Counter[Name] = Counter()
        self._allowed: Counter[Name] = Counter()

    def look(self, _connection: Connection, recorded: RecordedEvent) -> None:
        """Count an event. Raises RuleBroken where it happened too often."""
        for name, limit in _identities(recorded):
            self._seen[name] += 1
            if self._seen[name] > limit + self._allowed[name]:
                raise RuleBroken("every event once", f"{name} again, as event {recorded.id}")
        if recorded.event.kind is EventKind.RUN_RETRIED:
            self._begin_anew(recorded.event.about["run"])
        if recorded.event.kind is EventKind.ROLLOUT_FELL_BACK:
            self._reach_anew(recorded.event.about["rollout"])

    def _begin_anew(self, run: str) -> None:
        """What a person tries again happens again."""
        for name in self._seen:
            if run in name:
                self._allowed[name] = self._seen[name]

    def _reach_anew(self, rollout: str) -> None:
        """A rollout whose traffic fell back comes to its shares again."""
        for name in self._seen:
            if name[:2] == (EventKind.ROLLOUT_SHARES, rollout):
                self._allowed[name] = self._seen[name]


def _identities(recorded: RecordedEvent) -> Iterator[tuple[Name, int]]:
    """What may happen only so often: a name for it, and the number."""
    about, data, kind = recorded.event.about, recorded.event.data, recorded.event.kind
    match kind:
        case EventKind.RUN_CREATED | EventKind.RELEASE_CREATED:
            yield (kind, about["run"]), 1
        case EventKind.RUN_ENDED:
            yield (kind, about["run"], str(data.get("status"))), 1
        case EventKind.STAGE_BEGAN:
            yield (kind, about["run"], about["stage"]), 1
        case EventKind.STAGE_ENDED:
            # once when it passed, and once when it went back after that
            yield (kind, about["run"], about["stage"], recorded.event.text), 1
        case EventKind.STEP_READY | EventKind.STEP_BEGAN | EventKind.STEP_ENDED:
            yield (kind, about["run"], about.get("scope", ""), about["step"], str(data["attempt"])), 1
        case EventKind.ROLLOUT_BEGAN | EventKind.ROLLOUT_PASSED | EventKind.ROLLOUT_ENDED:
            yield (kind, about["rollout"]), 1
        case EventKind.ROLLOUT_SHARES:
            yield (kind, about["rollout"], str(data["step"])), 1
        case EventKind.ROLLOUT_FELL_BACK:
            yield (kind, about["rollout"], str(data["at"])), 1
        case EventKind.DEPLOYMENT_QUARANTINED:
            yield (kind, about["rollout"], about["deployment"]), 1
        case _:
            pass
