"""Exit statuses in words that help."""

from __future__ import annotations

import pytest

from tidegate.agent.endings import exit_in_words


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (1, "the command ended with exit status 1"),
        (126, "a command may not be executed (exit status 126)"),
        (127, "a command was not found (exit status 127); the last line of the log names it"),
        (128, "the command ended with exit status 128"),
        (137, "ended by a signal: Killed (exit status 137); was there not enough memory?"),
        (143, "ended by a signal: Terminated (exit status 143)"),
        (139, "ended by a signal: Segmentation fault (exit status 139)"),
        (255, "the command ended with exit status 255"),
    ],
)
def test_a_status_says_what_to_look_at(code: int, says: str) -> None:
    assert says in exit_in_words(code)
    assert ("memory" in exit_in_words(code)) is (code == 137)
