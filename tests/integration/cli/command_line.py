"""The `tidegate` command as a user runs it: in a pipe, or on a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tidegate.cli.main import run

SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


@dataclass
class Command:
    """The `tidegate` command on a data folder."""

    data: Path
    cwd: Path
    env: dict[str, str]

    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
        """Run it in this process, as the console script does but for the start of an interpreter."""
        out, err = _stream(b""), _stream(b"")
        with (
            patch.dict(os.environ, {**self.env, **(env or {})}, clear=True),
            patch.multiple(sys, stdin=_stream(stdin.encode()), stdout=out, stderr=err),
            contextlib.chdir(self.cwd),
        ):
            code = run(arguments)
        return Ended(code, _text(out), _text(err))

    def as_process(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
        """Run it in a process of its own, with pipes."""
        return self._ended(self._argv(arguments), stdin, env)

    def in_bash(self, *arguments: str) -> Ended:
        """Run it as a person does who types it in bash."""
        return self._ended(["bash", "-c", '"$@"; exit $?', "bash", *self._argv(arguments)])

    def _ended(self, argv: Sequence[str], stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.cwd,
            env={**self.env, **(env or {})},
            timeout=SECONDS,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def on_terminal(
        self, *arguments: str, env: Mapping[str, str] | None = None, typed: tuple[str, str] = ("", "")
    ) -> Ended:
        """Run it on a terminal; what it drew is in `out`. `typed`: at which prompt, and what a person types then."""
        prompt, keys = typed
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self._argv(arguments),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.cwd,
            env={**self.env, "TERM": "xterm-256color", "COLUMNS": "120", **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)
        drawn = b""
        try:
            while chunk := _read(ours):
                drawn += chunk
                if keys and drawn.endswith(prompt.encode()):
                    os.write(ours, keys.encode())
                    keys = ""
            return Ended(process.wait(SECONDS), drawn.decode(), "")
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "tidegate.cli.main", *arguments]


def _stream(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody has the other end any more
        return b""
