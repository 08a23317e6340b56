"""The comparison of a page with what happens is neither blind nor pedantic."""

from __future__ import annotations

import pytest
from tests.docs.console import Command, Differs, commands, compare, renamed
from tests.docs.markdown import blocks

RUN, OTHER = "01m85xve2559dmbf20c31yds0c", "01m85xz33sez6thw28yqrdg5n7"


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (("Hello",), ("Hello",)),
        (("a  b",), ("a      b",)),
        (("took 25s",), ("took 1m 4s",)),
        (("04:43:29 begins",), ("23:00:00 begins",)),
        (("…", "last"), ("one", "two", "last")),
        (("…",), ()),
        (("errors: …% of … requests",), ("errors: 19.4% of 36 requests",)),
        ((f"run {RUN}", f"again {RUN}"), (f"run {OTHER}", f"again {OTHER}")),
    ],
)
def test_what_says_the_same_fits(expected: tuple[str, ...], printed: tuple[str, ...]) -> None:
    assert compare(expected, printed, {}) is not None


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (("Hello",), ("Good bye",)),
        (("Hello",), ("Hello", "more")),
        (("Hello", "more"), ("Hello",)),
        (("…", "last"), ("last", "more")),
        (("took 25s",), ("took long",)),
        ((f"run {RUN}", f"again {RUN}"), (f"run {OTHER}", f"again {RUN}")),
        ((f"run {RUN}", f"another {OTHER}"), (f"run {OTHER}", f"another {OTHER}")),
        (("errors: …% of … requests",), ("latency: 19.4% of 36 requests",)),
    ],
)
def test_what_says_something_else_differs(expected: tuple[str, ...], printed: tuple[str, ...]) -> None:
    assert compare(expected, printed, {}) is None


def test_later_commands_get_the_names_of_this_time() -> None:
    names = compare((f"next: tidegate watch {RUN}",), (f"next: tidegate watch {OTHER}",), {})
    assert names is not None
    assert renamed(f"tidegate watch {RUN}", names) == f"tidegate watch {OTHER}"


def test_a_block_is_commands_with_what_they_print() -> None:
    (block,) = blocks("x\n```console\n$ one\nfirst\n\nlast\n\n$ two \\\n    more\n```\n")
    assert commands(block) == (Command("one", ("first", "", "last"), 3), Command("two \\\n    more", (), 8))


def test_output_without_a_command_is_a_mistake_of_the_page() -> None:
    (block,) = blocks("```console\nlost\n```\n")
    with pytest.raises(Differs, match="line 2"):
        commands(block)
