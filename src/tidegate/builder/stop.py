"""The wish to end a build early, which may come from a signal handler at any moment."""

from __future__ import annotations

import os


class Stop:
    """Asked once, running steps are ended gently; asked again, by force.

    `signalled` is a file descriptor that can be read from the moment it is first asked, for whoever polls.
    """

    def __init__(self) -> None:
        self.asked = False
        self.hurry = False
        self.signalled, self._write_end = os.pipe()

    def ask(self) -> None:
        """Wish for the end, more strongly each time. Takes no lock: a signal handler may call it."""
        self.hurry = self.asked
        self.asked = True
        os.write(self._write_end, b"!")

    def close(self) -> None:
        """Give the descriptors back; nobody polls any more."""
        os.close(self.signalled)
        os.close(self._write_end)
