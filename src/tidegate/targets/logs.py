"""The end of a log, fit to be shown."""

from __future__ import annotations

import os
from collections.abc import Collection
from itertools import groupby
from operator import itemgetter
from pathlib import Path

_READ_BYTES = 4096
_LINES = 5
_LINE_LENGTH = 200
_SHORTEST_SECRET = 3
"""Shorter values would hide half of every line."""

_CUT_CHARACTER = 3
"""Signs at the most in place of a character that was cut in its middle."""


def last_lines(log: Path, secrets: Collection[str]) -> list[str]:
    """The last five lines of a log that are not empty, cut to 200 characters, without the values of secrets."""
    try:
        with log.open("rb") as file:
            begin = file.seek(max(0, file.seek(0, os.SEEK_END) - _READ_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    lines = [line.strip()[:_LINE_LENGTH] for line in _without(secrets, text, is_cut=begin > 0).splitlines()]
    return [line for line in lines if line][-_LINES:]


def _without(secrets: Collection[str], text: str, *, is_cut: bool) -> str:
    """The text with `***` for secrets; where its beginning was cut off, also without what may be the rest of one."""
    told = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    hidden = [False] * len(text)
    for secret in told:
        at = text.find(secret)
        while at >= 0:
            hidden[at : at + len(secret)] = [True] * len(secret)
            at = text.find(secret, at + 1)
    rest = max(map(len, told), default=-_CUT_CHARACTER) + _CUT_CHARACTER if is_cut else 0
    runs = groupby(zip(hidden[rest:], text[rest:], strict=True), key=itemgetter(0))
    return "".join("***" if is_hidden else "".join(one for _, one in run) for is_hidden, run in runs)
