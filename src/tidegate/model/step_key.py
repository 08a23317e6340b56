"""The key under which a step's result is kept: all that the result depends on, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from tidegate.model.ids import ServiceName, StepName
from tidegate.model.lease import StepReport
from tidegate.model.pipeline import Setup, Step

FORMAT = 2
"""Part of every key: a change of what keys are made of makes all old ones useless, and none wrong."""


@dataclass(frozen=True, slots=True)
class StepMaterial:
    """What a step's result depends on. `files` is path → mode and content of its inputs, and of setup's, or the digest
    of that.

    `platforms` are those of the agents that may run it, as what is compiled on one is of no use on another. `needs` is,
    for each needed step, the digest of what it made; `variables` the values of `$NAME` inputs.
    """

    service: ServiceName
    step: Step
    setup: Setup | None
    files: Mapping[str, str] | str
    needs: Mapping[StepName, str]
    variables: Mapping[str, str]
    platforms: Collection[str]

    def as_parts(self) -> dict[str, Any]:
        """The parts by name, as plain values that go to JSON."""
        step = self.step
        return {
            "format": FORMAT,
            "service": str(self.service),
            "name": str(step.name),
            "command": step.run,
            "working_directory": step.working_directory,
            "env": dict(step.env),
            "image": step.image,
            "services": [_plain(asdict(one)) for one in step.sidecars],
            "labels": sorted(step.labels),
            "platforms": sorted(self.platforms),
            "outputs": list(step.outputs),
            "artifacts": dict(step.artifacts),
            "reports": [step.junit, step.coverage],
            "setup": None if self.setup is None else [self.setup.run, list(self.setup.outputs)],
            "variables": dict(self.variables),
            "needs": {str(name): made for name, made in self.needs.items()},
            "files": self.files if isinstance(self.files, str) else dict(self.files),
        }

    @property
    def key(self) -> str:
        """The key: 64 hexadecimal digits."""
        return key_of(self.as_parts())


def key_of(parts: Mapping[str, Any]) -> str:
    """The key of parts as `as_parts` gives them. The files count by one digest, which may stand in their place."""
    files = parts["files"]
    digest = files if isinstance(files, str) else files_digest(files)
    text = json.dumps({**parts, "files": digest}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def files_digest(files: Mapping[str, str]) -> str:
    """One digest of paths with their modes and contents."""
    hasher = hashlib.sha256()
    for path in sorted(files):
        hasher.update(f"{files[path]} {path}\0".encode(errors="surrogateescape"))
    return hasher.hexdigest()


def made_by(report: StepReport | None) -> str:
    """One digest of what a step made: its outputs and its artifacts by content."""
    if report is None:
        return ""
    parts = [f"{one.name} {one.file} {one.digest}" for one in report.artifacts]
    if report.outputs:
        parts.append(f"outputs {report.outputs.digest}")
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest() if parts else ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a step's key is another than it was: one sentence a part, with the files for those of its inputs."""

    what: str
    files: tuple[str, ...] = ()


_WORDS = {
    "format": "this version of Tidegate keeps results under other keys",
    "service": "the service has another name",
    "name": "the step has another name",
    "command": "its command changed",
    "working_directory": "its working directory changed",
    "env": "its environment changed",
    "image": "its image changed",
    "services": "its services changed",
    "labels": "its labels changed",
    "platforms": "agents of other platforms may run it",
    "outputs": "the patterns of its outputs changed",
    "artifacts": "the patterns of its artifacts changed",
    "reports": "its reports are elsewhere",
    "setup": "the setup changed",
}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """What is different between the parts of two keys, down to the file, the variable and the needed step."""
    for part, words in _WORDS.items():
        if before.get(part) != now.get(part):
            yield Difference(words)
    for name in _changed(before.get("variables") or {}, now["variables"]):
        yield Difference(f"the variable {name} has another value")
    for name in _changed(before.get("needs") or {}, now["needs"]):
        yield Difference(f'what "{name}" made is another')
    then, files = before.get("files"), now["files"]
    if isinstance(then, Mapping) and isinstance(files, Mapping):
        changed = tuple(_file_words(path, then, files) for path in _changed(then, files))
        if changed:
            yield Difference("its inputs changed", changed)
    elif then != files:
        yield Difference("its inputs changed")


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _file_words(path: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if path not in before:
        return f"{path} is new"
    return f"{path} is gone" if path not in now else f"{path} was changed"


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case timedelta():
            return value.total_seconds()
        case _:
            return value
