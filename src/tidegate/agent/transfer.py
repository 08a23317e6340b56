"""The files of an attempt on their way from the server and to it, asked for until it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO, TypeVar

from tidegate.agent.collect import NotMade
from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.endings import AttemptEnded
from tidegate.agent.outputs import ArchiveRefused, OutputMissing, pack, unpack
from tidegate.agent.server_link import ArtifactDiffers, Backoff, Refused, ServerAway, ServerLink
from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, StepOutcome
from tidegate.model.pipeline import Step

T = TypeVar("T")

_log = logging.getLogger(__name__)

_TRIES = 3

OUTPUTS_FILE = "outputs.tar"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`folder` is the attempt's own; `check_in` raises where the attempt must not go on."""

    folder: Path
    link: ServerLink
    stop: Event
    check_in: Callable[[], None]

    @property
    def artifacts(self) -> Path:
        """Where the release's artifacts are brought to."""
        return self.folder / "artifacts"

    def upload(self, file: BinaryIO) -> tuple[Digest, int]:
        """Bring a file to the server; its digest and size."""
        return self._until_answered(lambda: self.link.upload(file))

    def bring_artifact(self, name: str, digest: Digest) -> None:
        """Have an artifact under that name."""
        if "/" in name or "\0" in name or name in ("", ".", ".."):
            raise AttemptEnded(StepOutcome.FAILED, f"{name!r} cannot be the name of an artifact's file")
        path = self.artifacts / name
        if not path.exists():
            self._until_answered(lambda: self.link.download(digest, path))
        path.chmod(0o444)

    def bring_output(self, output: BuiltFile, root: Path, run_as: int | None) -> None:
        """Unpack below `root` what a needed step hands over."""
        archive = self.folder / "needed.tar"
        self._until_answered(lambda: self.link.download(output.digest, archive))
        try:
            with archive.open("rb") as file:
                unpack(file, root, run_as)
        except ArchiveRefused as error:
            detail = f"what {output.name} hands over cannot be used: {error}"
            raise AttemptEnded(StepOutcome.FAILED, detail) from error
        finally:
            archive.unlink()

    def hand_on(self, step: Step, confined: ConfinedFolder) -> BuiltFile | None:
        """Upload what the step hands over to later ones. Raises NotMade."""
        if not step.outputs:
            return None
        try:
            with (self.folder / OUTPUTS_FILE).open("w+b") as archive:
                pack(confined, step.outputs, archive)
                digest, size = self.upload(archive)
        except (OutputMissing, Escape) as error:
            raise NotMade(str(error)) from error
        return BuiltFile(step.name, OUTPUTS_FILE, digest, size)

    def _until_answered(self, ask: Callable[[], T]) -> T:
        backoff = Backoff(self.stop)
        differing = 0
        while True:
            self.check_in()
            try:
                return ask()
            except ServerAway as error:
                _log.debug("%s waits for the server: %s", self.folder.name, error)
            except Refused as error:
                detail = f"the server does not have, or does not take, an artifact: {error}"
                raise AttemptEnded(StepOutcome.FAILED, detail) from error
            except ArtifactDiffers as error:
                differing += 1
                if differing == _TRIES:
                    raise AttemptEnded(StepOutcome.FAILED, str(error)) from error
            backoff.wait()
