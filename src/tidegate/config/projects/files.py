"""Looking into a repository's files. Nothing in it is run, links are not followed, large files are not read whole."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_SOURCES = 200
"""Files that are looked into for a port or a health check."""

LARGEST_SOURCE = 256 * 1024
"""Bytes. What is larger was not written by hand."""

_HEALTH_PATHS = ("/healthz", "/health", "/readyz", "/ping")
_NOT_SOURCES = frozenset({"node_modules", "venv", "build", "dist", "site-packages", "target", "vendor", "testdata"})


def text_of(path: Path) -> str:
    """What a file says; nothing where there is no such file."""
    try:
        return path.read_bytes()[:LARGEST_SOURCE].decode("utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def toml_of(path: Path) -> dict[str, Any]:
    """A TOML file; nothing where it is none."""
    try:
        return tomllib.loads(text_of(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def table_in(table: object, key: str) -> dict[str, Any]:
    """A table in a table; an empty one where there is something else."""
    inner = table.get(key) if isinstance(table, dict) else None
    return inner if isinstance(inner, dict) else {}


def name_in(table: object, key: str) -> str | None:
    """A name that can stand in a path and on a command line; None for everything else."""
    value = table.get(key) if isinstance(table, dict) else None
    return value if isinstance(value, str) and is_plain_name(value) else None


def is_plain_name(text: str) -> bool:
    """Whether a text means itself in a path, in a pattern and on a command line."""
    allowed = all(char.isascii() and (char.isalnum() or char in "._-+") for char in text)
    return allowed and bool(text.strip(".")) and not text.startswith("-") and len(text) <= 100


def sources(repository: Path, *endings: str) -> Iterator[Path]:
    """Source files, those near the top first; hidden folders and those of other people's code are passed over."""
    folders, found = [repository], 0
    for folder in folders:
        if len(folders) > MOST_SOURCES:
            return
        try:
            inside = sorted(folder.iterdir())
        except OSError:
            continue
        for path in inside:
            if path.is_symlink() or path.name.startswith(".") or path.name in _NOT_SOURCES:
                continue
            if path.is_dir():
                folders.append(path)
            elif path.suffix in endings:
                yield path
                found += 1
                if found == MOST_SOURCES:
                    return


def web_process(repository: Path) -> str | None:
    """The `web` line of a Procfile."""
    for line in text_of(repository / "Procfile").splitlines():
        name, colon, command = line.partition(":")
        if colon and name.strip() == "web" and command.strip() and command.strip().isprintable():
            return command.strip()
    return None


def health_path(texts: list[str]) -> str:
    """The path that looks like a health check in sources."""
    return next(
        (path for path in _HEALTH_PATHS if any(f'{path}"' in text or f"{path}'" in text for text in texts)), "/"
    )


def reads_port(texts: list[str]) -> bool:
    """Whether sources take the port from the environment."""
    return any('"PORT"' in text or "'PORT'" in text for text in texts)


def takes_port(texts: list[str]) -> bool:
    """Whether sources know an option for the port."""
    return any('"--port"' in text or "'--port'" in text for text in texts)


def listening(command: str, texts: list[str]) -> str | None:
    """The command with what makes it listen at $PORT; None where the sources do not tell how."""
    if reads_port(texts):
        return command
    return f'{command} --port "$PORT"' if takes_port(texts) else None


def is_ignored(repository: Path, path: str) -> bool:
    """Whether a plain line of .gitignore names a path, or a folder that it lies in."""
    lines = {line.strip().removeprefix("**/").strip("/") for line in text_of(repository / ".gitignore").splitlines()}
    parts = path.removeprefix("**/").split("/")
    return any("/".join(parts[:count]) in lines for count in range(1, len(parts) + 1))
