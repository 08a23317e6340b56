"""What an agent is started with, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tidegate.agent.follower import Limits
from tidegate.agent.machine import installed_version, instance_of
from tidegate.agent.this_platform import this_platform
from tidegate.agent.wire import LeaseRequest


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What an agent is started with. `folder` is its own, made where it is missing; `run_as` is the uid of its steps,
    None for the agent's own user (then only trusted repositories may be built). The token is in `token_file`, which is
    read again where the server does not know it, or is `token` where there is no file."""

    server: str
    token_file: Path | None
    folder: Path
    name: str
    slots: int = 4
    run_as: int | None = None
    limits: Limits = Limits()
    labels: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    def read_token(self) -> str:
        """The token. Raises OSError where the file cannot be read."""
        return self.token if self.token_file is None else self.token_file.read_text().strip()


def about(settings: AgentSettings) -> LeaseRequest:
    """What the agent says of itself whenever it asks for work."""
    return LeaseRequest(
        slots_free=0,
        held=(),
        slots=settings.slots,
        labels=settings.labels,
        version=installed_version(),
        platform=this_platform(),
        instance=instance_of(settings.folder),
    )
