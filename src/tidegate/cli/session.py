"""A command's conversation with a server and with whoever gave the command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.cli.client import Client, find_client
from tidegate.cli.output import Output


@dataclass(frozen=True, slots=True)
class Session:
    """The server that is asked, and where the answer goes."""

    client: Client
    output: Output

    def done(self, answer: object, said: str, remedies: Sequence[str] = ()) -> None:
        """Say what was done and how to go on; with --json, what the server answered."""
        self.output.document(answer)
        if not self.output.json:
            self.output.say(said)
            for remedy in remedies:
                self.output.next(remedy)


def begin(json: bool, data: Path | None) -> Session:
    """Find the server. Raises CommandFailed."""
    return Session(find_client(data), Output(json))
