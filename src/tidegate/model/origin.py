"""How a release's artifacts came to be: the chain from one to those that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidegate.model.ids import Digest, StepName
from tidegate.model.step_run import StepRun


@dataclass(frozen=True, slots=True)
class Given:
    """What a step was given by one that it needs: the archive of its outputs, and which artifacts are in that."""

    step: StepName
    outputs: Digest
    artifacts: Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an artifact comes from: the step that made it, and all that this step was given beside the commit."""

    artifact: str
    step: StepName
    given: tuple[Given, ...]

    @property
    def made_from(self) -> Mapping[str, Digest]:
        """The artifacts among what the step was given."""
        return {name: digest for one in self.given for name, digest in one.artifacts.items()}


def origins_of(build: Sequence[StepRun]) -> tuple[Origin, ...]:
    """The origins of all that a build's steps made, in the order of its artifacts.

    A result that was taken from the cache was made of the same: the digests of what its step is given are in its key.
    """
    return tuple(
        Origin(artifact.name, step.name, tuple(_given(step, build)))
        for step in build
        if step.report
        for artifact in step.report.artifacts
    )


def _given(step: StepRun, build: Sequence[StepRun]) -> Iterator[Given]:
    for one in build:
        if one.name in step.step.needs and one.report and one.report.outputs:
            artifacts = {file.name: file.digest for file in one.report.artifacts if file.handed_on}
            yield Given(one.name, one.report.outputs.digest, artifacts)
