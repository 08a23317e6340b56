"""How risky a release looks at a gate: a sum of what is known, each part of it with its reason in words."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.model.evidence import ChangeEvidence, ReleaseEvidence, RiskEvidence, StageEvidence
from tidegate.model.pipeline import Risk
from tidegate.model.verdict import Verdict

MOST_SCORE = 100
MANY_CHANGES = 10
MANY_FILES = 50

_OF_SERVICE = {Risk.LOW: 0, Risk.STANDARD: 10, Risk.HIGH: 30}


def release_risk(
    service: Risk,
    release: ReleaseEvidence,
    changes: tuple[ChangeEvidence, ...] | None,
    stages: tuple[StageEvidence, ...],
    rollbacks_in_a_row: int,
) -> RiskEvidence:
    """Add up what is known. What is not known adds to it only where it ought to be: tests, and who made a change."""
    parts = [
        *_of_service(service),
        *_of_tests(release),
        *_of_changes(changes),
        *_of_stages(stages),
        *([(15, "the last rollout there was rolled back for cause")] if rollbacks_in_a_row else []),
    ]
    score = min(MOST_SCORE, sum(points for points, _ in parts))
    return RiskEvidence(score, tuple(reason for _, reason in parts))


def _of_service(risk: Risk) -> Iterator[tuple[int, str]]:
    if _OF_SERVICE[risk]:
        yield _OF_SERVICE[risk], f"the service's risk is {risk.value}"


def _of_tests(release: ReleaseEvidence) -> Iterator[tuple[int, str]]:
    if release.tests is None:
        yield 15, "no tests were reported"
    elif release.tests.failed:
        yield 25, f"{release.tests.failed} tests failed"
    if release.coverage and release.coverage.change is not None and release.coverage.change < 0:
        yield 10, f"{-release.coverage.change:.1f} percentage points less coverage than what serves there"


def _of_changes(changes: tuple[ChangeEvidence, ...] | None) -> Iterator[tuple[int, str]]:
    if changes is None or len(changes) > MANY_CHANGES:
        yield 15, "many changes at once" if changes is None else f"{len(changes)} changes at once"
    files = sum(one.files or 0 for one in changes or ())
    if files > MANY_FILES:
        yield 10, f"{files} files change"
    unknown = {author.email for one in changes or () for author in one.authors or () if not author.verified}
    if unknown:
        yield 5, f"nobody has verified {len(unknown)} of the authors"


def _of_stages(stages: tuple[StageEvidence, ...]) -> Iterator[tuple[int, str]]:
    if any(one.verdict in (Verdict.UNDECIDED, Verdict.NO_DATA) for one in stages):
        yield 10, "a verification before it was not sure"
    if any(one.verdict is Verdict.FAIL for one in stages):
        yield 30, "a verification before it failed"
