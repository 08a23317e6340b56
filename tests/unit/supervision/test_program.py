"""What a program is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.supervision.program import Program

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(command=st.lists(words, min_size=1), env=st.dictionaries(words, words), grace=st.integers(0, 3600))
def test_a_program_is_the_same_after_it_was_written_and_read(
    command: list[str], env: dict[str, str], grace: int
) -> None:
    program = Program("envoy", tuple(command), Path("/srv"), Path("/log"), env, timedelta(seconds=grace), False, 7)
    assert Program.from_json(program.to_json()) == program


@pytest.mark.parametrize("name", ["", "../envoy", "a b", "a:b", ".hidden", "a\nb"])
def test_a_name_that_could_not_be_a_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a program"):
        Program(name, ("true",), Path("/"), Path("/log"))


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(ValueError, match="has no command"):
        Program("envoy", (), Path("/"), Path("/log"))


def test_what_it_inherits_makes_no_other_program_of_it_also_where_an_earlier_version_wrote_it() -> None:
    one = Program("one", ("true",), Path("/"), Path("/log"), {"PATH": "/a", "A": "1"}, inherited=frozenset({"PATH"}))
    written = json.loads(one.to_json())
    del written["inherited"]
    for running in (one, Program.from_json(json.dumps(written))):
        assert not replace(one, env={"PATH": "/b", "A": "1"}).is_another_than(running)
        assert replace(one, env={"PATH": "/b", "A": "2"}).is_another_than(running)
        assert replace(one, command=("false",)).is_another_than(running)
    assert replace(one, env={"PATH": "/b", "A": "1"}, inherited=frozenset()).is_another_than(
        replace(one, inherited=frozenset())
    )
