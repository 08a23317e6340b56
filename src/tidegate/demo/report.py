"""What the story came to, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.demo.story import Played
from tidegate.demo.traffic import Answered


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a played story; times in seconds."""

    played: tuple[Played, ...]
    requests: int
    failed: int
    failed_outside: int
    rollback_seconds: tuple[float, ...]
    duration: float

    @property
    def as_told(self) -> bool:
        """Whether every version ended as it should, and nobody but the canaries' users saw a failure."""
        return all(one.as_told for one in self.played) and self.failed_outside == 0

    def to_json(self) -> dict[str, Any]:
        """The object that `demo --once --json` prints."""
        return {
            "releases": [
                {
                    "name": one.version.name,
                    "commit": one.commit,
                    "run": one.run,
                    "status": one.status,
                    "faulty": one.version.is_faulty,
                    "gates": list(one.gates),
                    "why": one.why,
                }
                for one in self.played
            ],
            "rolled_back": [one.commit for one in self.played if one.status == "rolled_back"],
            "requests": self.requests,
            "failed_requests": self.failed,
            "failed_requests_outside_canary": self.failed_outside,
            "rollback_seconds": max(self.rollback_seconds, default=None),
            "duration_seconds": round(self.duration, 3),
            "as_told": self.as_told,
        }


def summarise(played: Sequence[Played], answers: Sequence[Answered], duration: float) -> Report:
    """Count what happened.

    A failed request counts as inside of the canary only where it carries the mark of a deployment that was rolled
    back. The time of a rollback is that from its decision to the last request that was sent and answered by the bad
    deployment, 0 where none was sent after the decision.
    """
    bad = {one.deployment for one in played if one.status == "rolled_back" and one.deployment}
    failed = [one for one in answers if one.failed]
    seconds: list[float] = []
    for one in played:
        if one.decided_at and one.deployment in bad:
            last = max((answer.sent_at for answer in answers if answer.deployment == one.deployment), default=None)
            seconds.append(max(0.0, (last - one.decided_at).total_seconds()) if last else 0.0)
    return Report(
        played=tuple(played),
        requests=len(answers),
        failed=len(failed),
        failed_outside=sum(1 for one in failed if one.deployment not in bad),
        rollback_seconds=tuple(seconds),
        duration=duration,
    )
