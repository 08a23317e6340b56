"""Where a character of a text stands in a YAML file that writes the text in one of five ways."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"[|>][-+0-9]*[ \t]*(#[^\n]*)?(\n|$)")


def place_in(file: str, span: tuple[int, int], value: str, offset: int) -> int:
    """The index in the file of the character `offset` of the text `value`, which is written between the two ends.

    Folding and indenting change nothing but white space, so the other characters are counted. Where an escape hides
    the way (`"\\x41"`) it is where the text begins.
    """
    begin, end = span
    written = file[begin:end]
    block = _BLOCK.match(written)
    quote = written[:1] if written[:1] in ("'", '"') and not block else ""
    index = block.end() if block else len(quote)
    for number, character in enumerate(value):
        if character.isspace() and number < offset:
            continue
        if number == offset and character.isspace():
            return begin + index
        found = _next(written, index, character, quote)
        if found is None:
            return begin
        if number == offset:
            return begin + found
        index = found + 1
    return begin + index


def _next(written: str, index: int, character: str, quote: str) -> int | None:
    """Where the character comes next after white space and the sign that escapes it; None where something else does."""
    while index < len(written) and written[index].isspace():
        index += 1
    if quote == '"' and written[index : index + 1] == "\\":
        after = written[index + 1 :]
        # a backslash at the end of a line joins it to the next one
        index = len(written) - len(after.lstrip()) if after.startswith("\n") else index + 1
    if quote == "'" and written[index : index + 2] == "''":
        index += 1
    return index if written[index : index + 1] == character else None
