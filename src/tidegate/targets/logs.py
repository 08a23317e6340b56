"""The end of a log, fit to be shown."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

_READ_BYTES = 4096
_LINES = 5
_LINE_LENGTH = 200
_SHORTEST_SECRET = 3
"""Shorter values would hide half of every line."""


def last_lines(log: Path, secrets: Collection[str]) -> list[str]:
    """The last five lines of a log that are not empty, cut to 200 characters, without the values of secrets."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _READ_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    lines = [line.strip()[:_LINE_LENGTH] for line in text.splitlines()]
    return [line for line in lines if line][-_LINES:]
