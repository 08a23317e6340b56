"""The logs of steps: one file an attempt, one JSON line a line of output."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tidegate.model.lease import LogLine


class StepLogs:
    """Keeps what agents send, in order and each line once; safe to be asked by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._counts: dict[Path, int] = {}

    def append(self, run: str, step_run: str, attempt: int, first: int, lines: Sequence[LogLine]) -> int:
        """Append those lines (the first has the index `first`) that are not here yet; the index wanted next."""
        path = self._path(run, step_run, attempt)
        with self._lock:
            count = self._count(path)
            fresh = lines[count - first :] if first <= count else []
            if fresh:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._counts.pop(path, None)  # on a full disk only a part may be written: it is counted again then
                with path.open("a", encoding="utf-8") as file:
                    file.writelines(
                        json.dumps({"at": line.at.isoformat(), "text": line.text}, ensure_ascii=False) + "\n"
                        for line in fresh
                    )
                self._counts[path] = count + len(fresh)
            return self._counts.get(path, count)

    def read(self, run: str, step_run: str, attempt: int, first: int = 0, limit: int = 10_000) -> tuple[LogLine, ...]:
        """Lines from index `first` on, at most `limit` of them."""
        path = self._path(run, step_run, attempt)
        found: list[LogLine] = []
        if not path.exists():
            return ()
        with path.open(encoding="utf-8") as file:
            for index, text in enumerate(file):
                if index >= first + limit:
                    break
                if index >= first and text.endswith("\n"):
                    entry = json.loads(text)
                    found.append(LogLine(datetime.fromisoformat(entry["at"]), entry["text"]))
        return tuple(found)

    def _path(self, run: str, step_run: str, attempt: int) -> Path:
        for name in (run, step_run):
            if not re.fullmatch(r"[0-9a-zA-Z-]+", name):
                raise ValueError(f"{name!r} is not an identifier")
        return self._folder / run / f"{step_run}.{attempt}.jsonl"

    def _count(self, path: Path) -> int:
        """How many whole lines are there; what a crash left of a last line is cut off first."""
        if path not in self._counts:
            if not path.exists():
                return 0
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole != len(content):
                with path.open("r+b") as file:
                    file.truncate(whole)
            self._counts[path] = content[:whole].count(b"\n")
        return self._counts[path]
