"""From a step that ended well to its result in the cache: reports are read, outputs and artifacts packed."""

from __future__ import annotations

import glob
import hashlib
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from tidegate.agent.collect import NotMade, collect_artifacts, read_reports
from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.outputs import OutputMissing, pack
from tidegate.builder.cache import Cache, NewBlob
from tidegate.builder.kept_result import KeptResult, Origin
from tidegate.builder.placing import names_in
from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, StepReport
from tidegate.model.pipeline import Step

OUTPUTS_FILE = "outputs.tar"


@dataclass(frozen=True, slots=True)
class Collected:
    """What a step made. `names` are the paths of all files that bring it back, `size` the bytes that were kept."""

    result: KeptResult
    names: tuple[str, ...]
    size: int


def report_of(step: Step, folder: Path, ended: StepReport) -> StepReport:
    """The report of a step that ended well, with the figures of its reports. Raises NotMade."""
    confined = ConfinedFolder(folder)
    reports = read_reports(step, confined)
    artifacts = collect_artifacts(step, confined, _digest_of)
    return replace(ended, artifacts=artifacts, tests=reports.tests, line_coverage=reports.line_coverage)


def keep(cache: Cache, step: Step, folder: Path, report: StepReport, origin: Origin, log: Path) -> Collected:
    """Put what a step made into the cache's blobs; it becomes a result under a key only afterwards.

    Raises NotMade where an output is missing, OSError where the cache cannot be written.
    """
    packing = _Packing(cache, ConfinedFolder(folder))
    outputs = packing.archive(step.outputs)
    if outputs is not None:
        report = replace(report, outputs=BuiltFile(step.name, OUTPUTS_FILE, *outputs))
    reports = [step.junit] if step.junit is not None else []
    reports += [glob.escape(step.coverage)] if step.coverage is not None else []
    beside = [pattern for pattern in (*step.artifacts.values(), *reports) if pattern not in step.outputs]
    extras = packing.archive(beside)
    result = KeptResult(
        report,
        origin,
        extras=extras[0] if extras else None,
        log=packing.log(log),
        artifact_paths=_paths(step, folder),
    )
    return Collected(result, tuple(packing.names), packing.size)


def look_at(cache: Cache, step: Step, folder: Path, report: StepReport) -> Collected:
    """What a step made whose result is kept nowhere, with the digest of its outputs. Raises NotMade, OSError."""
    paths = _paths(step, folder)
    result = KeptResult(report, Origin(report.ended_at), artifact_paths=paths)
    names = (*paths, *ConfinedFolder(folder).matches(step.junit)) if step.junit else paths
    if not step.outputs:
        return Collected(result, names, 0)
    with cache.new_blob() as blob:
        _pack(ConfinedFolder(folder), step.outputs, blob)
        file = cast(BinaryIO, blob.file)
        outputs = BuiltFile(step.name, OUTPUTS_FILE, *_digest_of(file))
        return Collected(replace(result, report=replace(report, outputs=outputs)), (*names_in(file), *names), 0)


class _Packing:
    """Makes blobs of a step's files, and counts them."""

    def __init__(self, cache: Cache, folder: ConfinedFolder) -> None:
        self._cache = cache
        self._folder = folder
        self.names: list[str] = []
        self.size = 0

    def archive(self, patterns: Sequence[str]) -> tuple[Digest, int] | None:
        """An archive of the files that the patterns match, None without a pattern. Raises NotMade."""
        if not patterns:
            return None

        def fill(blob: NewBlob) -> None:
            _pack(self._folder, patterns, blob)
            self.names += names_in(cast(BinaryIO, blob.file))

        return self._kept(fill)

    def log(self, path: Path) -> Digest | None:
        """A log; None for an empty one."""
        if path.stat().st_size == 0:
            return None

        def fill(blob: NewBlob) -> None:
            with path.open("rb") as file:
                shutil.copyfileobj(file, blob.file)

        return self._kept(fill)[0]

    def _kept(self, fill: Callable[[NewBlob], None]) -> tuple[Digest, int]:
        with self._cache.new_blob() as blob:
            fill(blob)
            digest, size = blob.keep()
        self.size += size
        return digest, size


def _pack(folder: ConfinedFolder, patterns: Sequence[str], blob: NewBlob) -> None:
    try:
        pack(folder, patterns, cast(BinaryIO, blob.file))
    except (OutputMissing, Escape) as error:
        raise NotMade(str(error)) from error
    blob.file.flush()


def _digest_of(file: BinaryIO) -> tuple[Digest, int]:
    file.seek(0)
    digest = Digest(f"sha256:{hashlib.file_digest(cast(io.BufferedReader, file), 'sha256').hexdigest()}")
    return digest, file.tell()


def _paths(step: Step, folder: Path) -> tuple[str, ...]:
    """Where the artifacts lie, in the order of the file."""
    confined = ConfinedFolder(folder)
    return tuple(path for pattern in step.artifacts.values() for path in confined.matches(pattern))
