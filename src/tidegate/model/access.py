"""From where somebody acts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Means(StrEnum):
    """What somebody acts with: a browser is known by its session, the others say what they are."""

    BROWSER = "browser"
    COMMAND = "command"
    """The `tidegate` command."""

    CLIENT = "client"
    """Another program that uses the API."""


@dataclass(frozen=True, slots=True)
class Access:
    """From where an act came: the address of whoever asked (the last proxy's, where one is not trusted), with what, and
    the id of the token, never the token itself."""

    means: Means
    address: str
    token: str | None = None

    def __str__(self) -> str:
        return f"{self.means.value} at {self.address}" + (f", token {self.token}" if self.token else "")
