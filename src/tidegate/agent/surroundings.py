"""What a step finds around it: its environment, a home for its service, a folder for temporary files."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from tidegate.agent.record import remove_tree
from tidegate.agent.wire import Held
from tidegate.model.lease import Lease

USER = "tidegate"
"""What the unprivileged user is called in the environment; the system need not know the name."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Folders below the agent's own for the steps that it performs, given to the steps' user `run_as`."""

    homes: Path
    temporary: Path
    run_as: int | None
    _making: Lock = field(default_factory=Lock, repr=False, compare=False)
    """Steps that begin at once share a home, which is there for nobody before it is theirs."""

    def environment(self, lease: Lease, held: Held, artifacts: Path) -> dict[str, str]:
        """The whole environment of an attempt's commands but for PATH; its folders are made.

        HOME is one for all steps of a service, so that tools keep their caches there; TMPDIR is the attempt's own.
        """
        home, temporary = self.folders(lease, held)
        user = USER if self.run_as is not None else os.environ.get("USER", USER)
        return {
            "CI": "true",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(home),
            "USER": user,
            "LOGNAME": user,
            "TMPDIR": str(temporary),
            **lease.step.env,
            **lease.env,
            "TIDEGATE_ARTIFACTS": str(artifacts),
        }

    def folders(self, lease: Lease, held: Held) -> tuple[Path, Path]:
        """HOME and TMPDIR, made where they are missing."""
        home = self._given_over(self.homes / re.sub(r"[^A-Za-z0-9._-]|^\.+", "_", lease.service))
        return home, self._given_over(self._temporary(held))

    def remove(self, held: Held) -> None:
        """Remove what was the attempt's own."""
        remove_tree(self._temporary(held))

    def remove_all_but(self, held: list[Held]) -> None:
        """Remove what earlier agents left, but for these attempts."""
        kept = {self._temporary(one) for one in held}
        for folder in self.temporary.iterdir():
            if folder not in kept:
                remove_tree(folder)

    def _temporary(self, held: Held) -> Path:
        # short: a socket's path may have no more than some 100 characters
        return self.temporary / hashlib.sha256(str(held).encode()).hexdigest()[:10]

    def _given_over(self, folder: Path) -> Path:
        with self._making:
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                if self.run_as is not None:
                    os.chown(folder, self.run_as, self.run_as)
        return folder
