"""Colours become classes, and everything else is escaped."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.web.ansi import coloured


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m on", '<span class="sgr-fg-1">red</span> on'),
        (
            "\x1b[1;4mloud\x1b[22m low",
            '<span class="sgr-bold sgr-under">loud</span><span class="sgr-under"> low</span>',
        ),
        ("\x1b[38;5;196mfar\x1b[39m", '<span class="sgr-fg-1">far</span>'),
        ("\x1b[38;2;0;0;255mtrue", '<span class="sgr-fg-4">true</span>'),
        ("\x1b[41m<&>\x1b[49m", '<span class="sgr-bg-1">&lt;&amp;&gt;</span>'),
    ],
)
def test_a_coloured_line_is_spans(line: str, html: str) -> None:
    assert str(coloured(line)) == html


@given(st.lists(st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[1m", "\x1b[48;5;300m", "\x1b[m", "<i>", "&", "a", " "])))
def test_no_word_of_a_line_is_lost_and_none_becomes_html(parts: list[str]) -> None:
    html = str(coloured("".join(parts)))
    words = "".join(part for part in parts if not part.startswith("\x1b"))
    assert unescape(re.sub(r'<span class="[a-z0-9 -]+">|</span>', "", html)) == words
