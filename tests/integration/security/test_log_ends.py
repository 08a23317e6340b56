"""The end of a log, as it is shown: nothing of a secret is in it, wherever the part that is read begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidegate.targets.logs import last_lines

SECRETS = st.lists(st.text("ABCÄ漢", min_size=3, max_size=40), min_size=1, max_size=3)
"""Of letters that nothing else in the logs is made of."""

PIECES = st.lists(st.one_of(st.integers(0, 2), st.text("ab \n", max_size=30)), max_size=30)
"""What was written: the number of a secret, or something else."""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secrets=SECRETS, pieces=PIECES, after=st.integers(0, 4200))
@example(secrets=["A" * 30], pieces=[0], after=4080)
@example(secrets=["Ä" * 30], pieces=[0], after=4081)
@example(secrets=["ABC", "A" * 40], pieces=[1, 0, 0, 0], after=4090)
@example(secrets=["漢" * 30], pieces=[0], after=4007)
def test_no_letter_of_a_secret_is_shown(
    tmp_path: Path, secrets: list[str], pieces: list[int | str], after: int
) -> None:
    log = tmp_path / "instance-0.log"
    written = "".join(secrets[one % len(secrets)] if isinstance(one, int) else one for one in pieces)
    log.write_text(written + "x" * after)
    shown = "".join(last_lines(log, secrets))
    assert not set("ABCÄ漢") & set(shown)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("one\ntwo\n", ["one", "two"]),
        ("no end of the line", ["no end of the line"]),
        ("\n\n 1 \n\n2\n3\n4\n5\n6\n7\n", ["3", "4", "5", "6", "7"]),
        ("x" * 300, ["x" * 200]),
        ("a" * 5000 + "\nlast", ["a" * 200, "last"]),
        ("token=hunter2 twice hunter2", ["token=*** twice ***"]),
        ("key of two lines: first\nsecond!", ["key of two lines: ***!"]),
        ("ab", ["ab"]),
    ],
)
def test_the_last_five_lines_are_shown_with_secrets_made_unreadable(
    tmp_path: Path, text: str, lines: list[str]
) -> None:
    log = tmp_path / "instance-0.log"
    log.write_text(text)
    assert last_lines(log, ["hunter2", "first\nsecond", "ab"]) == lines


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", ["hunter2"]) == []


def test_bytes_that_are_no_text_hide_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "instance-0.log"
    log.write_bytes(b"\xff\xfe hunter2 \x80\n")
    assert last_lines(log, ["hunter2"]) == ["\ufffd\ufffd *** \ufffd"]
