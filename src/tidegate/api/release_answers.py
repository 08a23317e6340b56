"""Releases as the API tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tidegate.api.answers import Answer
from tidegate.api.brought_answers import BroughtAnswer, brought_answers
from tidegate.api.placement_answers import DeploymentAnswer, deployment_answer
from tidegate.api.rollout_answers import MetricAnswer
from tidegate.model.change import Change
from tidegate.model.deployment import Deployment
from tidegate.model.ids import EnvironmentName
from tidegate.model.lease import BuiltFile
from tidegate.model.release import Release
from tidegate.model.step_run import BUILD, StepRun
from tidegate.model.verdict import MetricFinding


class TestsAnswer(Answer):
    """Figures of the build's tests."""

    __test__ = False
    total: int
    failed: int
    skipped: int


class GivenAnswer(Answer):
    """What a step was given by another: the digests of its outputs' archive and of the artifacts in that."""

    step: str
    outputs: str
    artifacts: dict[str, str]


class ArtifactAnswer(Answer):
    """A file of a release; fetched from /api/v1/artifacts/{digest}. `step` made it, of what it was `given`.

    A release that was made before this was recorded has no `step`.
    """

    name: str
    file: str
    digest: str
    size: int
    step: str | None
    given: tuple[GivenAnswer, ...]


class ReleaseAnswer(Answer):
    """A release; a larger `order` is newer. `version` is what its nearest version tag makes of it, null without one."""

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
    version: str | None


class ReleaseDetail(ReleaseAnswer):
    """A release, and what it was in each environment.

    `brings` lists for each of them the changes since what served there before it, or serves there now: all of a batch,
    the newest first. `failed_steps` are those of its build that failed and may (`allow_failure`). `usage` is what its
    newest rollout in each environment showed of the use of features, where any was counted.
    """

    failed_steps: list[str]
    deployments: list[DeploymentAnswer]
    brings: dict[str, list[BroughtAnswer]]
    usage: dict[str, list[MetricAnswer]]


def release_answer(release: Release) -> ReleaseAnswer:
    """The release as a list shows it."""
    return ReleaseAnswer.model_validate(_fields(release))


def release_detail(
    release: Release,
    steps: Sequence[StepRun],
    deployments: Sequence[Deployment],
    brings: Mapping[EnvironmentName, Sequence[Change]],
    usage: Mapping[EnvironmentName, Sequence[MetricFinding]],
) -> ReleaseDetail:
    """The release with the steps of its run, what it was in each environment, which changes it brings there, and which
    use of features was seen there."""
    failed = [one.name for one in steps if one.scope == BUILD and one.failed_as_it_may]
    found = [deployment_answer(one) for one in deployments]
    used = {name: [MetricAnswer.model_validate(one) for one in told] for name, told in usage.items()}
    more = {"failed_steps": failed, "deployments": found, "brings": brought_answers(brings), "usage": used}
    return ReleaseDetail.model_validate({**_fields(release), **more})


def _fields(release: Release) -> dict[str, object]:
    own = {name: getattr(release, name) for name in ReleaseAnswer.model_fields if hasattr(release, name)}
    change = release.change
    artifacts = [_artifact_fields(one, release) for one in release.artifacts]
    commit = {"commit": change.commit, "subject": change.subject, "author": change.author_name}
    return {**own, **commit, "artifacts": artifacts}


def _artifact_fields(artifact: BuiltFile, release: Release) -> dict[str, object]:
    origin = release.origin_of(artifact.name)
    came = {"step": origin.step, "given": origin.given} if origin else {"step": None, "given": ()}
    return {"name": artifact.name, "file": artifact.file, "digest": artifact.digest, "size": artifact.size, **came}
