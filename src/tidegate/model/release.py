"""A release: the immutable candidate that a successful build makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.model.change import Change
from tidegate.model.ids import ReleaseId, RunId, ServiceName
from tidegate.model.lease import BuiltFile, TestReport
from tidegate.model.origin import Origin
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
    origins: tuple[Origin, ...] = ()
    """Of each artifact; none where the release was made before they were recorded."""

    tests: TestReport | None = None
    line_coverage: float | None = None

    @property
    def label(self) -> str:
        """How people call it: the commit's first eight digits."""
        return self.change.commit[:8]

    @property
    def version(self) -> str | None:
        """Its version, where a version tag led to its commit when that was noticed."""
        return self.change.version

    def origin_of(self, artifact: str) -> Origin | None:
        """Where the artifact of that name comes from, as far as it is recorded."""
        return next((one for one in self.origins if one.artifact == artifact), None)
