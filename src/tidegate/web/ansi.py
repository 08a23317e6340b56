"""Colours of a terminal become classes of a page."""

from __future__ import annotations

from itertools import pairwise

from markupsafe import Markup, escape
from rich.color import Color, ColorSystem
from rich.style import Style
from rich.text import Text


def coloured(text: str) -> Markup:
    """A line of a log as HTML: its colours (SGR sequences, ECMA-48) as spans with classes, all else escaped."""
    if "\x1b[" not in text:
        return escape(text)
    read = Text.from_ansi(text)
    parts: list[Markup] = []
    for span, begin, end in _pieces(read):
        words = escape(read.plain[begin:end])
        classes = _classes(span)
        parts.append(Markup('<span class="{}">{}</span>').format(classes, words) if classes else words)
    return Markup("").join(parts)


def _pieces(text: Text) -> list[tuple[Style, int, int]]:
    """The text cut where its style changes: style, begin and end."""
    cuts = sorted({0, len(text.plain), *(span.start for span in text.spans), *(span.end for span in text.spans)})
    pieces = []
    for begin, end in pairwise(cuts):
        styles = [span.style for span in text.spans if span.start <= begin and end <= span.end]
        pieces.append((Style.combine([Style.null(), *(one for one in styles if isinstance(one, Style))]), begin, end))
    return pieces


def _classes(style: Style) -> str:
    marks = {"sgr-bold": style.bold, "sgr-dim": style.dim, "sgr-under": style.underline}
    names = [name for name, on in marks.items() if on]
    for prefix, colour in (("sgr-fg", style.color), ("sgr-bg", style.bgcolor)):
        number = _number(colour)
        if number is not None:
            names.append(f"{prefix}-{number}")
    return " ".join(names)


def _number(colour: Color | None) -> int | None:
    """The nearest of a terminal's sixteen colours: a page has no others."""
    return None if colour is None else colour.downgrade(ColorSystem.STANDARD).number
