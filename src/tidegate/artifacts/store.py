"""The seam between the rest and where artifacts are kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from tidegate.model.ids import Digest


class ArtifactMissing(Exception):
    """No artifact of that digest is here."""


class ArtifactCorrupt(Exception):
    """The bytes under a digest are not the ones that were put; the message names the file."""


class ArtifactNotKept(Exception):
    """The bytes could not be stored and nothing of them remains; the message says why and what to do."""


class ArtifactStore(Protocol):
    """Keeps bytes under the digest of their content."""

    def put(self, chunks: Iterable[bytes]) -> Digest:
        """Keep the bytes; the same bytes twice are kept once. Nothing of a failed put remains.

        Raises ArtifactNotKept; what `chunks` itself raises passes through.
        """

    def open(self, digest: Digest) -> BinaryIO:
        """The bytes, checked against the digest before the first is handed out.

        Raises ArtifactMissing or ArtifactCorrupt.
        """

    def copy_to(self, digest: Digest, path: Path) -> None:
        """Write the checked bytes to `path`, whole or not at all. Raises as `open` does."""
