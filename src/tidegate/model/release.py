"""A release: the immutable candidate that a successful build makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.change import Change
from tidegate.model.ids import ReleaseId, RunId, ServiceName
from tidegate.model.lease import BuiltFile, TestReport
from tidegate.model.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Release:
    """`order` counts the commits of the main branch's first-parent line up to the change: newer is larger."""

    id: ReleaseId
    service: ServiceName
    run: RunId
    order: int
    created_at: datetime
    change: Change
    pipeline: Pipeline
    artifacts: tuple[BuiltFile, ...] = ()
    tests: TestReport | None = None
    line_coverage: float | None = None

    @property
    def label(self) -> str:
        """How people call it: the commit's first eight digits."""
        return self.change.commit[:8]
