"""Where and how the commands of an attempt run: folder, environment, and the container around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.model.lease import Mount, StepCommand


@dataclass(frozen=True, slots=True)
class Place:
    """`image` and `network` are None for commands that run as processes of this machine."""

    where: Path
    env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    mounts: tuple[Mount, ...] = ()
    network: str | None = None

    def command(self, script: str, folder: str) -> StepCommand:
        """A script that runs here; `folder` is where its runner keeps what it needs."""
        return StepCommand(script, str(self.where), folder, self.env, self.image, self.mounts, self.network)
