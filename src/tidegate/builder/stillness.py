"""Whether files stayed as they were listed: a result made of files that changed meanwhile is nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tidegate.builder import git
from tidegate.builder.stamps import stamp_at
from tidegate.model.step_inputs import InputFile, Listing

_CLOCK_NANOSECONDS = 50_000_000
"""By how much the clock of a file system may be behind ours."""

_CHANGED = "changed"


class Stillness:
    """The stamps of listed files, taken before any step runs.

    `listed_at` is the time, in nanoseconds since 1970, at which git was asked for the listing.
    """

    def __init__(self, folder: Path, listing: Listing, listed_at: int) -> None:
        self._folder = folder
        self._stamps = {file.path: self._stamp(file) for file in listing.files}
        self._look_again([file for file in listing.files if self._is_fresh(file, listed_at)])

    def broken_by(self, files: Iterable[InputFile]) -> str | None:
        """The path of a file that is not as it was listed, None where all are."""
        return next((file.path for file in files if self._stamp(file) != self._stamps.get(file.path)), None)

    def _stamp(self, file: InputFile) -> str:
        # git may know of files that it was told not to check out
        return stamp_at(self._folder / file.path)

    def _is_fresh(self, file: InputFile, listed_at: int) -> bool:
        """Whether a file may have been changed after it was listed and before its stamp was taken."""
        stamp = self._stamps[file.path]
        is_plain = file.mode in ("100644", "100755") and stamp != ""
        return is_plain and int(stamp.split()[3]) >= listed_at - _CLOCK_NANOSECONDS

    def _look_again(self, files: Sequence[InputFile]) -> None:
        """Compare files with the listing by their contents."""
        try:
            told = git.ask_about(self._folder, [file.path for file in files], "hash-object").decode().split()
        except git.GitFailed:
            told = [_CHANGED] * len(files)
        for file, content in zip(files, told, strict=True):
            if content != file.content:
                self._stamps[file.path] = _CHANGED
