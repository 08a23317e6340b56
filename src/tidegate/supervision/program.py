"""Programs that are kept alive apart from the server, and how they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Program:
    """A command that supervisord keeps alive, or runs once where `autorestart` is False.

    `env` is the whole environment but for two marks (see `marks`), with secrets, which stay out of every process
    list. `inherited` names those of its variables that it has from whoever puts it: of another shell they are others,
    and that is no other program. Both output streams are appended to `log`. `run_as` is the user and group id that the
    command gets; None leaves it those of supervisord. Raises ValueError for a name that cannot be a file's name, or an
    empty command.
    """

    name: str
    command: tuple[str, ...]
    cwd: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_grace: timedelta = timedelta(seconds=10)
    autorestart: bool = True
    run_as: int | None = None
    inherited: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a program; use letters, digits, '.', '_' and '-'")
        if not self.command:
            raise ValueError(f"the program {self.name} has no command")

    def to_json(self) -> str:
        """The program as text that `from_json` reads; equal programs give equal text."""
        fields = {
            "name": self.name,
            "command": list(self.command),
            "cwd": str(self.cwd),
            "log": str(self.log),
            "env": dict(self.env),
            "stop_grace_seconds": self.stop_grace.total_seconds(),
            "autorestart": self.autorestart,
            "run_as": self.run_as,
            "inherited": sorted(self.inherited),
        }
        return json.dumps(fields, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Program:
        """The program that `to_json` wrote. Raises ValueError or KeyError for other text."""
        fields = json.loads(text)
        return cls(
            name=fields["name"],
            command=tuple(fields["command"]),
            cwd=Path(fields["cwd"]),
            log=Path(fields["log"]),
            env=fields["env"],
            stop_grace=timedelta(seconds=fields["stop_grace_seconds"]),
            autorestart=fields["autorestart"],
            run_as=fields["run_as"],
            # what an earlier version wrote names none
            inherited=frozenset(fields.get("inherited", ())),
        )

    def is_another_than(self, running: Program) -> bool:
        """Whether this has to replace what runs: anything differs but for what both inherited."""
        inherited = self.inherited | running.inherited
        return self._without(inherited) != running._without(inherited)

    def _without(self, inherited: frozenset[str]) -> Program:
        env = {name: value for name, value in self.env.items() if name not in inherited}
        return replace(self, env=env, inherited=frozenset())


class ProgramPhase(StrEnum):
    """Where a program is in its life."""

    ABSENT = "absent"
    """supervisord does not know it."""
    STOPPED = "stopped"
    """Known, and not started since this supervisord began."""
    STARTING = "starting"
    """Begun less than a second ago."""
    RUNNING = "running"
    BACKOFF = "backoff"
    """It ended within its first second and is started again, each time a little later."""
    STOPPING = "stopping"
    EXITED = "exited"
    FATAL = "fatal"
    """It cannot be started at all; `description` says why."""


@dataclass(frozen=True, slots=True)
class ProgramState:
    """How a program is. `exit_code` is that of its last ending, None where it never ended or a signal ended it.

    `restarts` counts how often it ended by itself and was started again; `started_at` holds its latest starts (20 at
    most), oldest first, and `first_started_at` the one that somebody asked for. `description` says how it ended
    last, or why it cannot be started; it is the phase where neither happened.
    """

    phase: ProgramPhase
    pid: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    first_started_at: datetime | None = None
    started_at: tuple[datetime, ...] = ()
    description: str = ""

    @property
    def runs(self) -> bool:
        """Whether it has a process."""
        return self.pid is not None

    def restarts_since(self, moment: datetime) -> int:
        """How many of its latest starts after `moment` were restarts."""
        return sum(1 for start in self.started_at if start > moment and start != self.first_started_at)


ABSENT = ProgramState(ProgramPhase.ABSENT, description="not known to supervisord")
