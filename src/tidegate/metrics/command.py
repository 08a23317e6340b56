"""Figures from a command that prints them: whatever no other source can ask."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.metrics.printed import figures_in
from tidegate.metrics.question import Question
from tidegate.metrics.source import SourceFailed
from tidegate.model.metric import Figures, NoFigures

LARGEST_OUTPUT = 1024 * 1024
LONGEST_SECONDS = 30.0
_MOST_ERROR_BYTES = 64 * 1024
_LONGEST_WORDS = 200
_CHUNK_BYTES = 64 * 1024
_LOOK_EVERY_SECONDS = 0.1
_STOPPING_SECONDS = 2.0
_NAMES = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "TZ")


@dataclass(frozen=True, slots=True)
class _Ended:
    """What a command printed, and with which status it ended."""

    status: int
    output: bytes
    errors: bytes


class CommandSource:
    """Performs a rule's command as it is written, without a shell, under the uid `run_as` where it is given.

    All that the question says goes in as environment variables `TIDEGATE_*`. When its first process has ended, or
    time is up, all of its process group is ended.
    """

    def __init__(self, run_as: int | None = None, *, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._run_as = run_as
        self._longest_seconds = longest_seconds

    def read(self, question: Question) -> Figures | NoFigures:
        """As `FigureSource.read`."""
        name = question.rule.command[0]
        ended = self._perform(question)
        if ended.status != 0:
            said = _without_secrets(_last_line(ended.errors), question.secrets.values())
            raise SourceFailed(f"{name} {_status(ended.status)}{f': {said}' if said else ''}")
        try:
            return figures_in(ended.output, question.rule.kind)
        except ValueError as error:
            raise SourceFailed(f"{name} {_without_secrets(str(error), question.secrets.values())}") from None

    def _perform(self, question: Question) -> _Ended:
        argv = question.rule.command
        try:
            process = subprocess.Popen(
                argv,
                cwd="/",
                env=_environment(question),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                user=self._run_as,
                group=self._run_as,
                extra_groups=None if self._run_as is None else [],
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SourceFailed(f"{argv[0]} cannot be started: {why}") from error
        with process:
            try:
                return self._listen(process, argv[0])
            finally:
                _end(process)

    def _listen(self, process: subprocess.Popen[bytes], name: str) -> _Ended:
        """Read what it prints until it has ended. What it leaves running may hold its pipes open: nobody waits for
        that. Raises SourceFailed."""
        assert process.stdout and process.stderr
        output, errors = bytearray(), bytearray()
        ends_at = time.monotonic() + self._longest_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, output)
            selector.register(process.stderr, selectors.EVENT_READ, errors)
            while selector.get_map():
                ready = selector.select(_LOOK_EVERY_SECONDS)
                for key, _ in ready:
                    chunk = os.read(key.fd, _CHUNK_BYTES)
                    key.data.extend(chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
                del errors[:-_MOST_ERROR_BYTES]
                if len(output) > LARGEST_OUTPUT:
                    raise SourceFailed(f"{name} prints more than {LARGEST_OUTPUT // 1024} KiB")
                if not ready and process.poll() is not None:
                    break
                if time.monotonic() > ends_at:
                    raise self._too_slow(name)
        try:
            status = process.wait(max(0.0, ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._too_slow(name) from None
        return _Ended(status, bytes(output), bytes(errors))

    def _too_slow(self, name: str) -> SourceFailed:
        return SourceFailed(f"{name} did not end within {self._longest_seconds:g} seconds", is_away=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End its process group: it leads one of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOPPING_SECONDS)


def _environment(question: Question) -> dict[str, str]:
    own = {name: os.environ[name] for name in _NAMES if name in os.environ}
    return {
        **own,
        **question.secrets,
        "TIDEGATE_METRIC": question.rule.name,
        "TIDEGATE_SERVICE": question.service,
        "TIDEGATE_ENVIRONMENT": question.environment,
        "TIDEGATE_DEPLOYMENT": question.deployment,
        "TIDEGATE_BEGIN": question.begin.isoformat(),
        "TIDEGATE_END": question.end.isoformat(),
        "TIDEGATE_BEGIN_EPOCH": f"{question.begin.timestamp():.3f}",
        "TIDEGATE_END_EPOCH": f"{question.end.timestamp():.3f}",
        "TIDEGATE_WINDOW_SECONDS": f"{question.window.total_seconds():g}",
    }


def _status(status: int) -> str:
    return f"ends with status {status}" if status > 0 else f"was ended by signal {-status}"


def _last_line(errors: bytes) -> str:
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1].strip() if lines else ""
    return "".join(char if char.isprintable() else " " for char in last[:_LONGEST_WORDS])


def _without_secrets(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        for line in secret.splitlines():
            text = text.replace(line, "***") if line.strip() else text
    return text
