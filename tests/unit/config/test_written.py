"""Where a character of a text stands in a file, however YAML writes the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.config import document
from tidegate.config.tidegate_yaml import ConfigError, load

FILE = """\
service: shop
build: {steps: [{name: test, run: make test}]}
stages:
  - name: a
    environment: staging
    steps: [{name: s, run: x}]
    gate:
      policy: """


def place(policy: str) -> tuple[str, str]:
    """The file with the policy, whose mistake is marked with ▸: the place that is told, and that of the mark."""
    before, mark, after = (FILE + policy).partition("▸")
    assert mark
    with pytest.raises(ConfigError) as told:
        load(before + after)
    (only,) = told.value.problems
    line = before.count("\n") + 1
    return f"{only.line}:{only.column}", f"{line}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    "policy",
    [
        "release.order > 1 && ▸relaese.order > 1",
        "|\n        release.order > 1\n          && ▸relaese.order > 1\n",
        "|-  # a comment\n\n        release.order > 1 &&\n        release.▸ordr > 1",
        "|2-\n          release.order > 1 &&\n        release.▸ordr > 1\n",
        ">-\n        release.order > 1 &&\n        release.▸ordr > 1\n\n        && true\n",
        "release.order > 1\n        && ▸relaese.order > 1",
        "'release.label != ''x'' && ▸relaese.order > 1'",
        '"release.label != \\"x\\" && ▸relaese.order > 1"',
        '"release.order > 1 && \\\n        release.▸ordr > 1"',
        "['true', release.order > 1 && ▸relaese.order > 1]",
        "\n        - expression: |\n            // first\n            release.order >\n            ▸relaese.order\n",
    ],
)
def test_a_mistake_in_a_policy_is_told_at_its_line_and_column(policy: str) -> None:
    told, marked = place(policy)
    assert told == marked


WORDS = st.text(alphabet="ab'\"\\ :#\n>|-.é", min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(WORDS)
def test_every_character_of_a_literal_block_is_found(text: str) -> None:
    lines = [line.strip() or "x" for line in text.split("\n")]
    written = "a: |\n" + "".join(f"   {line}\n" for line in lines)
    read = document.read(written, "x")
    value = "\n".join(lines)
    for offset, character in enumerate(value):
        if not character.isspace():
            problem = read.problem_within(("a",), offset, "here")
            assert written.split("\n")[problem.line - 1][problem.column - 1] == character


def test_where_an_escape_hides_the_way_it_is_the_beginning_of_the_text() -> None:
    read = document.read('a: "x\\x41 bc"', "x")
    assert read.problem_within(("a",), 3, "here").column == 4
