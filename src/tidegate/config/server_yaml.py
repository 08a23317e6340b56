"""`tidegate-server.yaml`: the server's own configuration, which no service's file can weaken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tidegate.config import document, explain
from tidegate.config.json_schema import schema_of
from tidegate.config.server_sections import ServerSection
from tidegate.model.environment import DEFAULT_ENVIRONMENTS, Environment, ServerConfiguration

FILE = "tidegate-server.yaml"


def read(folder: Path) -> ServerConfiguration:
    """The configuration in a server's data folder; the default one where there is no file.

    Raises ConfigError with everything that is wrong in the file, OSError where it cannot be read.
    """
    path = folder / FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ServerConfiguration(DEFAULT_ENVIRONMENTS)
    return load(document.decode(raw, str(path)), str(path))


def load(text: str, file: str = FILE) -> ServerConfiguration:
    """Read the configuration. `file` is what messages call the text. Raises ConfigError with everything wrong."""
    section = explain.validate(document.read(text, file), ServerSection, iter(()))
    return ServerConfiguration(
        environments=DEFAULT_ENVIRONMENTS
        if section.environments is None
        else {
            name: Environment(name, one.protected, one.target.value, one.router.value)
            for name, one in section.environments.items()
        },
        poll_interval=section.poll_interval,
        cache=section.cache,
        batch=section.batch,
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file, for editors."""
    return schema_of(ServerSection, FILE)
