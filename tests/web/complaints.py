"""What a browser's console complains of while a test looks at pages."""

from __future__ import annotations


class Complaints(list[str]):
    """Its own moment to tell is the browser's: one that a test provokes may come when the test is over."""

    _provoked = False

    def were_provoked(self) -> None:
        """The test provokes complaints, and has looked at those that matter to it."""
        self._provoked = True

    @property
    def unprovoked(self) -> list[str]:
        """What fails the test."""
        return [] if self._provoked else list(self)
