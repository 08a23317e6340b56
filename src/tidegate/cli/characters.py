"""What a command prints, on terminals of any encoding."""

from __future__ import annotations

import io
import sys


def tolerate_every_character() -> None:
    """Let no character that the terminal's encoding does not have end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
