"""How a command ends: scripts rely on these numbers."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means."""

    DONE = 0
    FAILED = 1
    """The thing that was asked about failed."""

    USAGE = 2
    """The command, or something that it names, is wrong."""

    REFUSED = 3
    """Permission, a gate or a freeze says no, or a person is waited for."""

    UNREACHABLE = 4
    """No server answers."""

    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


class CommandFailed(Exception):
    """A command ends without what it was asked for; `str()` says why, `remedy` is the next command or sentence."""

    def __init__(self, code: ExitCode, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy
