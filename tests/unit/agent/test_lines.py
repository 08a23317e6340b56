"""Raw output as lines of a log: nothing is lost or told twice, however it arrives, and nothing moves a cursor."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.agent.lines import LINE_BYTES, CutLine, LineCutter, clean

COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
PIECES = st.lists(
    st.sampled_from([b"a", b"\n", b"\r\n", "ä漢🙂".encode(), b"\xff", b"x" * LINE_BYTES, b"x" * 100]), max_size=20
)


def cut(*chunks: bytes) -> list[CutLine]:
    """All lines of a stream that comes in these chunks."""
    cutter = LineCutter()
    return [line for chunk in chunks for line in cutter.feed(chunk)] + cutter.flush()


@given(pieces=PIECES, cuts=st.lists(st.integers(0, 200_000), max_size=6))
def test_the_lines_are_the_same_in_whatever_chunks_the_output_comes(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    places = sorted({0, len(whole), *(place for place in cuts if place < len(whole))})
    chunks = [whole[begin:end] for begin, end in pairwise(places)]
    assert cut(*chunks) == cut(whole)


@given(pieces=PIECES)
def test_each_line_ends_where_the_next_begins_and_the_last_at_the_end(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    ends = [0, *(line.end for line in cut(whole))]
    assert ends == sorted(set(ends))
    assert ends[-1] == len(whole)
    for begin, line in zip(ends, cut(whole), strict=False):
        assert line.text == clean(whole[begin : line.end])


@given(pieces=PIECES, stop=st.integers(0, 20))
def test_who_goes_on_at_the_end_of_any_line_finds_the_same_lines(pieces: list[bytes], stop: int) -> None:
    whole = b"".join(pieces)
    lines = cut(whole)
    done = lines[:stop]
    begin = done[-1].end if done else 0
    cutter = LineCutter(begin)
    assert [*done, *cutter.feed(whole[begin:]), *cutter.flush()] == lines


@given(word=st.text("aä漢🙂", min_size=1, max_size=8), length=st.integers(1, LINE_BYTES))
@example(word="🙂", length=LINE_BYTES)
@example(word="a🙂", length=LINE_BYTES)
def test_an_endless_line_is_cut_between_characters(word: str, length: int) -> None:
    text = (word * length)[:length]
    pieces = cut(text.encode())
    assert "".join(piece.text for piece in pieces) == text
    assert all(end - begin <= LINE_BYTES for begin, end in pairwise([0, *(piece.end for piece in pieces)]))


def test_a_last_line_without_its_end_is_a_line() -> None:
    assert cut(b"one\ntwo") == [CutLine("one", 4), CutLine("two", 7)]
    assert cut(b"") == []


@given(raw=st.binary(max_size=80).map(lambda raw: raw.replace(b"\n", b"")))
@example(raw=b"\x1b[2J\x1b[1;1Hgone")
@example(raw=b"\x1b]0;title\x07text")
@example(raw=b"\x1b]0;title without an end")
@example(raw=b"\x1b\x1b[31m\x1b\x00[31m")
@example(raw="\u009b2J\u0085".encode())
def test_no_text_moves_a_cursor_rings_or_changes_a_title(raw: bytes) -> None:
    plain = COLOUR.sub("", clean(raw))
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", plain)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\r\n", "plain"),
        (b"\tindented\n", "\tindented"),
        (b"\x1b[1;31mred\x1b[0m\n", "\x1b[1;31mred\x1b[0m"),
        (b" 10%\r 50%\r100%\n", "100%"),
        (b"done\r\r\n", "done"),
        (b"working\r\x1b[K\r\n", ""),
        (b"a\x08b\x07c\n", "abc"),
        (b"\xc3\x28\n", "\ufffd("),
        ("größer\n".encode(), "größer"),
        (b"\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\\n", "link"),
        (b"\x1b(Bbox\n", "box"),
    ],
)
def test_a_line_is_told_as_a_terminal_would_leave_it(raw: bytes, text: str) -> None:
    assert clean(raw) == text
