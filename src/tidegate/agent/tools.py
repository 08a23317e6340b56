"""What an agent performs its attempts with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

from tidegate.agent.checkout import Checkouts
from tidegate.agent.follower import Limits
from tidegate.agent.kept import KeptFolders
from tidegate.agent.remote import Remotes
from tidegate.agent.server_link import ServerLink
from tidegate.agent.settings import AgentSettings
from tidegate.agent.surroundings import Surroundings
from tidegate.runners.by_image import RunnerByImage
from tidegate.runners.container import ContainerRunner
from tidegate.runners.identity import boot_id
from tidegate.runners.process import ProcessRunner, default_path
from tidegate.runners.runner import Runner
from tidegate.runners.sidecars import ContainerSidecars, Sidecars


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


def tools_for(settings: AgentSettings, stop: Event) -> Tools:
    """The tools of an agent with these settings, which runs until `stop` is set."""
    folder = settings.folder
    link = ServerLink(settings.server, settings.read_token, settings.name)
    remotes = Remotes(settings.server, link.token)
    containers = ContainerRunner(str(folder), settings.run_as)
    return Tools(
        runner=RunnerByImage(ProcessRunner(settings.run_as, default_path(settings.run_as)), containers),
        containers=containers,
        sidecars=ContainerSidecars(str(folder), containers.engine),
        kept=KeptFolders(folder / "kept", settings.run_as),
        checkouts=Checkouts(folder / "checkouts", settings.run_as, remotes.of),
        surroundings=Surroundings(folder / "homes", folder / "tmp", settings.run_as),
        link=link,
        limits=settings.limits,
        stop=stop,
        boot=boot_id(),
        now=lambda: datetime.now(UTC),
    )
