"""A reason says what a rule saw, and the command that changes it."""

from __future__ import annotations

from tidegate.model.reason import Reason


def test_a_reason_is_told_with_the_command_that_changes_it() -> None:
    assert str(Reason("hold", "held by ben", "tidegate resume 01RUN")) == "held by ben (tidegate resume 01RUN)"


def test_a_reason_that_no_command_changes_is_told_alone() -> None:
    assert str(Reason("placement", "run 7 is judging there")) == "run 7 is judging there"
