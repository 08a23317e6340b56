"""Times of builds in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.builder.kept_result import Origin
from tidegate.builder.wording import ago, origin_in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (0.9, "just now"),
        (1, "1 second ago"),
        (119, "1 minute ago"),
        (120, "2 minutes ago"),
        (7200, "2 hours ago"),
        (86400 * 3, "3 days ago"),
    ],
)
def test_how_long_ago_something_was(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_where_a_result_comes_from() -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    assert origin_in_words(Origin(at)) == "2 hours ago"
    assert origin_in_words(Origin(at, "1a2b3c4d5e")) == "2 hours ago, on 1a2b3c4d"
    words = "2 hours ago, on 1a2b3c4d with changes that were not committed"
    assert origin_in_words(Origin(at, "1a2b3c4d5e", dirty=True)) == words
