"""The foundation of continuous deployment: what must be there before policy may open a gate in a person's place."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.model.ids import StageName
from tidegate.model.pipeline import OnDoubt, Pipeline, Stage


def missing_foundation(pipeline: Pipeline, name: StageName) -> tuple[str, ...]:
    """What the stage lacks: automated tests in the build, an earlier stage that proves the same release, verification
    of its deployment, and a rollback that comes by itself. Raises KeyError where there is no such stage."""
    return tuple(_missing(pipeline, pipeline.stage(name)))


def pipeline_lacks(pipeline: Pipeline, protected: frozenset[str]) -> tuple[str, ...]:
    """What the stages that lead to protected environments lack, each with the stage's name."""
    return tuple(
        f"{stage.name}: {lack}"
        for stage in pipeline.stages
        if stage.environment in protected
        for lack in missing_foundation(pipeline, stage.name)
    )


def _missing(pipeline: Pipeline, stage: Stage) -> Iterator[str]:
    if not any(step.is_tests for step in pipeline.build.steps):
        yield "no step of the build runs automated tests (reports: {junit: …}, or tests: true)"
    if not any(_proves(pipeline.stage(need)) for need in stage.needs):
        yield "no earlier stage deploys the release and verifies it, or runs steps against it"
    if stage.deploy is None:
        return
    if stage.verify is None:
        yield "the deployment is not verified (verify: …)"
    elif OnDoubt.PROMOTE in (stage.verify.undecided, stage.verify.no_data):
        yield "verification goes on without an answer (undecided, no_data: promote), so no rollback comes by itself"


def _proves(stage: Stage) -> bool:
    return bool(stage.steps) or (stage.deploy is not None and stage.verify is not None)
