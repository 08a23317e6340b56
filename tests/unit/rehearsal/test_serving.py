"""Which release is rehearsed: the one that serves in the last environment, not the last by its name."""

from __future__ import annotations

import pytest

from tidegate.rehearsal.command import serving_last

PLACES = ["dev", "staging", "production"]


@pytest.mark.parametrize(
    ("there", "commit"),
    [
        ({"production": "1a", "staging": "2b"}, "1a"),
        ({"production": None, "staging": "2b"}, "2b"),
        ({"staging": None}, None),
        ({}, None),
    ],
)
def test_the_release_that_serves_in_the_last_environment_is_rehearsed(
    there: dict[str, str | None], commit: str | None
) -> None:
    assert serving_last({name: {"commit": one} for name, one in there.items()}, PLACES) == commit
