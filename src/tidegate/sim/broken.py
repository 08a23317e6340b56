"""What is raised when a rule does not hold."""

from __future__ import annotations


class RuleBroken(Exception):
    """A rule that users rely on does not hold; the message names it and what was seen."""

    def __init__(self, rule: str, seen: str) -> None:
        super().__init__(f"{rule}: {seen}")
        self.rule = rule
