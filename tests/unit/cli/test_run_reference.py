"""Which run a person means."""

from __future__ import annotations

import pytest

from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.run_reference import choose

NEWER = {"id": "01jdb", "service": "shop", "commit": "abcd1111"}
OLDER = {"id": "01jda", "service": "shop", "commit": "abcd1111"}
OTHER = {"id": "01jd9", "service": "cart", "commit": "abcd2222"}


def test_a_commit_means_its_newest_run() -> None:
    assert choose("abcd1", [NEWER, OLDER, OTHER]) is NEWER


def test_the_beginning_of_an_id_means_that_run() -> None:
    assert choose("01JDA", [NEWER, OLDER, OTHER]) is OLDER


def test_a_beginning_that_fits_several_names_them() -> None:
    with pytest.raises(CommandFailed, match=r"fits several runs: 01jdb .* 01jd9") as raised:
        choose("abcd", [NEWER, OTHER])
    assert raised.value.code is ExitCode.USAGE


def test_a_beginning_that_fits_an_id_and_a_commit_is_not_guessed() -> None:
    with pytest.raises(CommandFailed, match="fits several"):
        choose("01jd", [NEWER, {"id": "01zz", "service": "cart", "commit": "01jd0000"}])
