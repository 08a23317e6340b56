"""What an agent performs its attempts with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from tidegate.agent.checkout import Checkouts
from tidegate.agent.follower import Limits
from tidegate.agent.kept import KeptFolders
from tidegate.agent.server_link import ServerLink
from tidegate.agent.surroundings import Surroundings
from tidegate.runners.container import ContainerRunner
from tidegate.runners.runner import Runner
from tidegate.runners.sidecars import Sidecars


@dataclass(frozen=True, slots=True)
class Tools:
    """What an agent performs its attempts with; `boot` names the time since the machine was started."""

    runner: Runner
    containers: ContainerRunner
    sidecars: Sidecars
    kept: KeptFolders
    checkouts: Checkouts
    surroundings: Surroundings
    link: ServerLink
    limits: Limits
    stop: Event
    boot: str
    now: Callable[[], datetime]
