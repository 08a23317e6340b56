"""What a step writes: cut into lines, kept in a file, and shown while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tidegate.agent.lines import CutLine, LineCutter
from tidegate.builder.cache import Cache
from tidegate.builder.tree_memory import TreeMemory, log_path

_END_LINES = 30


class StepLog:
    """The log of a step, in `path`. `show` is called with each batch of lines."""

    def __init__(self, path: Path, show: Callable[[Sequence[str]], None]) -> None:
        self.path = path
        self.bytes = 0
        self.lines = 0
        self._show = show
        self._cutter = LineCutter()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", errors="surrogateescape")

    def feed(self, chunk: bytes) -> None:
        """Take what a command wrote."""
        self.bytes += len(chunk)
        self._keep(self._cutter.feed(chunk))

    def flush(self) -> None:
        """Take the last line of a command, which need not have an end."""
        self._keep(self._cutter.flush())

    def say(self, text: str) -> None:
        """Add a line of our own, which tells from the step's."""
        self._keep([CutLine(f"── {text} ──", 0)])

    def close(self) -> None:
        """The step has ended."""
        self._file.close()

    def _keep(self, lines: Sequence[CutLine]) -> None:
        if lines:
            texts = [line.text for line in lines]
            self.lines += len(texts)
            self._file.write("\n".join([*texts, ""]))
            self._file.flush()
            self._show(texts)


def end_of(path: Path, lines: int = _END_LINES) -> list[str]:
    """The last lines of a log; none where there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - lines * 1024))
            return file.read().decode("utf-8", errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def lines_of(cache: Cache, memory: TreeMemory, step: str) -> list[str] | None:
    """What a step wrote when its result was made, in this tree or in another one; None where nothing is known."""
    known = memory.of(step)
    if known.cached and known.kept is not None:
        if known.kept.log is None:
            return []
        blob = cache.open_blob(known.kept.log)
        if blob is None:
            return None
        with blob:
            return blob.read().decode("utf-8", errors="replace").splitlines()
    try:
        return log_path(memory.folder, step).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
