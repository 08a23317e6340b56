"""What a page says of freezes."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.model.freeze import Freeze
from tidegate.model.local_time import say_when


def frozen_words(holding: Iterable[Freeze], service: str, environment: str) -> str | None:
    """Until when nothing new of the service enters the environment, and why; None where it may."""
    found = [one for one in holding if one.concerns(service, environment)]
    if not found:
        return None
    last = max(found, key=lambda one: one.ends)
    return f"until {say_when(last.ends, last.timezone)} by {last.by.name}: {last.reason}"
