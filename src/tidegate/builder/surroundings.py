"""What a step finds around it on a person's machine: the same small environment as on an agent.

PATH and HOME are the person's own, so that the tools that work for them work for the steps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tidegate.builder.head import Head
from tidegate.model.ids import StepName
from tidegate.model.pipeline import Step
from tidegate.model.step_inputs import variables_in


class Variables:
    """What differs from build to build; a step is told only what its result may depend on."""

    def __init__(self, service: str, branch: str | None, head: Head) -> None:
        self._service = service
        self._branch = branch
        self._head = head
        self._run = f"local-{os.urandom(6).hex()}"

    @property
    def branch(self) -> str | None:
        """The branch that the file names, or else the one that is checked out."""
        return self._branch or self._head.branch

    def of_inputs(self, step: Step) -> dict[str, str]:
        """The values of the variables among a step's inputs; those that nobody knows are empty, as on a server."""
        names = variables_in(step.inputs)
        return {name: self._known().get(name, "") for name in names} if names else {}

    def of_step(self, step: Step, attempt: int) -> dict[str, str]:
        """The variables that a step is told, see `model.step_environment.step_environment`."""
        names = variables_in(step.inputs)
        known: dict[str, str] = {}
        if names or not step.is_cacheable:
            known = {**self._known(), "TIDEGATE_ATTEMPT": str(attempt)}
        if step.is_cacheable:
            return {**self._always(step), **{name: known[name] for name in names if name in known}}
        return {**self._always(step), "SOURCE_DATE_EPOCH": str(self._head.seconds), **known}

    def of_setup(self) -> dict[str, str]:
        """The variables that the setup is told: it is one for all steps."""
        return self._always(Step(StepName("setup"), ""))

    def _always(self, step: Step) -> dict[str, str]:
        # needs the model of runs, which a build from the cache does without
        from tidegate.model.step_environment import FIXED_EPOCH

        return {
            **step.env,
            "SOURCE_DATE_EPOCH": FIXED_EPOCH,
            "TIDEGATE_SERVICE": self._service,
            "TIDEGATE_STEP": step.name,
        }

    def _known(self) -> dict[str, str]:
        return {
            "TIDEGATE_RUN": self._run,
            "TIDEGATE_COMMIT": self._head.commit or "",
            "TIDEGATE_BRANCH": self.branch or "",
            "TIDEGATE_ATTEMPT": "1",
            "TIDEGATE_RELEASE": "",
        }


def environment(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a command; the folders that it names are made below `folder`."""
    temporary, artifacts = folder / "tmp", folder / "artifacts"
    for made in (temporary, artifacts):
        made.mkdir(mode=0o700)
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or "tidegate"
    return {
        "CI": "true",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "USER": user,
        "LOGNAME": user,
        "TMPDIR": str(temporary),
        **variables,
        "TIDEGATE_ARTIFACTS": str(artifacts),
    }
