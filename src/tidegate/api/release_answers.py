"""Releases as the API tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tidegate.api.answers import Answer
from tidegate.api.placement_answers import DeploymentAnswer, deployment_answer
from tidegate.model.deployment import Deployment
from tidegate.model.release import Release


class TestsAnswer(Answer):
    """Figures of the build's tests."""

    __test__ = False
    total: int
    failed: int
    skipped: int


class ArtifactAnswer(Answer):
    """A file of a release; fetched from /api/v1/artifacts/{digest}."""

    name: str
    file: str
    digest: str
    size: int


class ReleaseAnswer(Answer):
    """A release; a larger `order` is newer."""

    id: str
    service: str
    run: str
    order: int
    commit: str
    subject: str
    author: str
    created_at: datetime
    artifacts: tuple[ArtifactAnswer, ...]
    tests: TestsAnswer | None
    line_coverage: float | None


class ReleaseDetail(ReleaseAnswer):
    """A release, and what it was in each environment."""

    deployments: list[DeploymentAnswer]


def release_answer(release: Release) -> ReleaseAnswer:
    """The release as a list shows it."""
    return ReleaseAnswer.model_validate(_fields(release))


def release_detail(release: Release, deployments: Sequence[Deployment]) -> ReleaseDetail:
    """The release, and what it was in each environment."""
    found = [deployment_answer(one) for one in deployments]
    return ReleaseDetail.model_validate({**_fields(release), "deployments": found})


def _fields(release: Release) -> dict[str, object]:
    own = {name: getattr(release, name) for name in ReleaseAnswer.model_fields if hasattr(release, name)}
    change = release.change
    return {**own, "commit": change.commit, "subject": change.subject, "author": change.author_name}
