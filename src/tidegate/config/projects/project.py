"""What was recognised of a project, in the words of a build."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StarterStep:
    """A step of a first build.

    `artifact` is the pattern of the one file that is deployed or kept. `notes` are for the person who reads the file.
    """

    name: str
    run: str
    artifact: str | None = None
    junit: str | None = None
    failed_first: str | None = None
    is_check: bool = False
    """It stands where tests should be: better than nothing."""

    depends_on_files_only: bool = True
    """Whether the same files give the same result; not so where something is fetched that changes."""

    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """One project of a repository. None where its files do not tell.

    `makes` are folders that only its tools write to: they are never inputs, and neither are artifacts and reports.
    """

    kind: str
    language: str = ""
    setup: str | None = None
    steps: tuple[StarterStep, ...] = ()
    makes: tuple[str, ...] = ()
    prepare: str | None = None
    command: str | None = None
    runs_artifact: bool = False
    """Whether `prepare` and `command` take the artifact; otherwise they are given the files of the commit."""

    env: dict[str, str] = field(default_factory=dict)
    health: str = "/"

    @property
    def artifact(self) -> str | None:
        """The pattern of the file that it makes."""
        return next((step.artifact for step in self.steps if step.artifact), None)
