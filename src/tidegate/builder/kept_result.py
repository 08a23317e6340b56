"""What a step that succeeded made, as the cache keeps it under the step's key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, StepOutcome, StepReport, TestReport

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """When a result was made and on what; `dirty`: the working tree had changes that were not committed."""

    at: datetime
    commit: str | None = None
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A result. `report.outputs` and `extras` are archives: of the outputs, and of artifacts and reports beside them.

    `artifact_paths` are for people: where the artifacts lie below the service's folder.
    """

    report: StepReport
    origin: Origin
    extras: Digest | None = None
    log: Digest | None = None
    artifact_paths: tuple[str, ...] = ()

    @property
    def archives(self) -> tuple[Digest, ...]:
        """The archives that bring its files back."""
        outputs = (self.report.outputs.digest,) if self.report.outputs else ()
        return (*outputs, self.extras) if self.extras else outputs

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        report = self.report
        return {
            "format": _FORMAT,
            "began_at": report.began_at.isoformat(),
            "ended_at": report.ended_at.isoformat(),
            "artifacts": [_file_json(one) for one in report.artifacts],
            "outputs": None if report.outputs is None else _file_json(report.outputs),
            "tests": None if report.tests is None else _tests_json(report.tests),
            "line_coverage": report.line_coverage,
            "image": report.image,
            "at": self.origin.at.isoformat(),
            "commit": self.origin.commit,
            "dirty": self.origin.dirty,
            "extras": self.extras,
            "log": self.log,
            "artifact_paths": list(self.artifact_paths),
        }

    @classmethod
    def of_json(cls, value: dict[str, Any] | None) -> KeptResult | None:
        """The result that `as_json` gave these values for; None where there are none, or those of another version."""
        if value is None or value["format"] != _FORMAT:
            return None
        report = StepReport(
            outcome=StepOutcome.SUCCEEDED,
            exit_code=0,
            detail="",
            began_at=datetime.fromisoformat(value["began_at"]),
            ended_at=datetime.fromisoformat(value["ended_at"]),
            artifacts=tuple(_file(one) for one in value["artifacts"]),
            outputs=None if value["outputs"] is None else _file(value["outputs"]),
            tests=None if value["tests"] is None else TestReport(*value["tests"]),
            line_coverage=value["line_coverage"],
            image=value["image"],
        )
        origin = Origin(datetime.fromisoformat(value["at"]), value["commit"], value["dirty"])
        return cls(report, origin, value["extras"], value["log"], tuple(value["artifact_paths"]))


def _file_json(file: BuiltFile) -> list[Any]:
    return [file.name, file.file, file.digest, file.size, file.handed_on]


def _file(value: list[Any]) -> BuiltFile:
    return BuiltFile(*value)


def _tests_json(tests: TestReport) -> list[int]:
    return [tests.total, tests.failed, tests.skipped]
