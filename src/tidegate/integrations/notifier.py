"""The seam between the server and the services through which people are told something."""

from __future__ import annotations

from typing import Protocol

from tidegate.model.notification import Notification


class NotTaken(Exception):
    """Not everybody of the channel was told; the message says which service did not take it, and never its address."""


class Notifier(Protocol):
    """Tells the people of one channel."""

    def check(self) -> None:
        """Look whether there is something to send to; sends nothing. Raises NotTaken."""

    def send(self, notification: Notification) -> None:
        """Send it to all services of the channel; takes half a minute at most.

        Sent again after NotTaken, it goes to those that did not take it. Raises NotTaken.
        """
