"""The keys of steps on a working tree, made of the same parts as on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.model.ids import ServiceName, StepName
from tidegate.model.pipeline import Setup, Step
from tidegate.model.step_inputs import InputFile, Listing, contents, missing_input
from tidegate.model.step_key import StepMaterial, files_digest


@dataclass(frozen=True, slots=True)
class Keys:
    """What all steps of a build have in common for their keys."""

    service: ServiceName
    setup: Setup | None
    listing: Listing
    platform: str
    _digests: dict[tuple[tuple[str, ...], ...], str] = field(default_factory=dict, repr=False)

    def parts(self, step: Step, needs: Mapping[StepName, str], variables: Mapping[str, str]) -> dict[str, Any]:
        """The parts of a step's key; `needs` are the digests of what the needed steps made."""
        files = self._files_digest(step)
        return StepMaterial(self.service, step, self.setup, files, needs, variables, (self.platform,)).as_parts()

    def setup_parts(self, setup: Setup, image: str | None) -> dict[str, Any]:
        """The parts of the key of what setup makes in an image, or on the machine itself."""
        step = Step(StepName("setup"), setup.run, inputs=setup.inputs, outputs=setup.outputs, image=image)
        parts = StepMaterial(self.service, step, None, self._files_digest(step), {}, {}, (self.platform,)).as_parts()
        return {**parts, "kind": "setup"}

    def patterns(self, step: Step) -> tuple[tuple[str, ...], ...]:
        """The patterns of a step's inputs, and those of setup's."""
        return (step.inputs, self.setup.inputs) if self.setup else (step.inputs,)

    def files(self, step: Step) -> tuple[InputFile, ...]:
        """The files that a step, and the setup before it, depend on."""
        return files_of(self.listing, self.patterns(step))

    def missing_input(self, step: Step) -> str | None:
        """Why a step cannot run: a pattern of its inputs, or of setup's, that matches no file."""
        return missing_input(step, self.setup, self.listing)

    def _files_digest(self, step: Step) -> str:
        patterns = self.patterns(step)
        if patterns not in self._digests:
            self._digests[patterns] = files_digest(contents(files_of(self.listing, patterns)))
        return self._digests[patterns]


def files_of(listing: Listing, patterns: tuple[tuple[str, ...], ...]) -> tuple[InputFile, ...]:
    """The files that groups of patterns match, each group by itself."""
    return tuple(file for group in patterns for file in listing.matched(group))
