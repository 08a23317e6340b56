"""The reference of the evidence as a page, made from its declaration.

`python -m tidegate.cli.evidence_reference > docs/reference/evidence.md`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import fill

from tidegate.model import evidence
from tidegate.model.ask_policy import MOST_MICROSECONDS
from tidegate.model.evidence_schema import vocabulary
from tidegate.model.expression import DEEPEST_BRACKETS, LONGEST_EXPRESSION, MOST_PARTS
from tidegate.model.expression_check import DEEPEST_LOOPS
from tidegate.model.expression_functions import FUNCTIONS, LOOPS, TIME_FUNCTIONS
from tidegate.model.expression_types import Choices, Field, ListOf, MapOf, Record, Scalar, Type

_INTRODUCTION = """\
# The evidence

<!-- Made by `python -m tidegate.cli.evidence_reference > docs/reference/evidence.md`; change the declaration
(`model/evidence.py`), not this page. -->

What a [policy](../policy.md) can read, and what a person sees at the gate: the same. `tidegate policy show RUN` prints
it for a run.

**Missing is not zero.** A field with words in the last column may be missing. A policy that reads it then keeps the
gate shut and says these words; `has(release.scan)` asks whether it is there. What no part of Tidegate reports yet is
always missing.

In a place, `[]` stands for each item of a list, and `NAME` for a name: `stages.staging`, `stages["load test"]`.
"""

_LIMITS = (
    f"**Limits.** An expression has at most {LONGEST_EXPRESSION:,} characters, {MOST_PARTS} parts, brackets in "
    f"brackets {DEEPEST_BRACKETS} deep and loops in loops {DEEPEST_LOOPS} deep, and is no more work than "
    f"{MOST_MICROSECONDS // 1000} ms on the largest evidence that there can be; what would be more is refused when the "
    f"file is validated. Texts are cut after {evidence.LONGEST_TEXT} characters."
)
_FUNCTIONS = (
    f"**Functions.** {', '.join(f'`{one}`' for one in (*FUNCTIONS, *TIME_FUNCTIONS))}. "
    f"**Loops.** {', '.join(f'`{one}`' for one in LOOPS)}. They mean what the "
    "[language](https://github.com/google/cel-spec/blob/master/doc/langdef.md) says: months, and days of the week, "
    "count from 0, and a week begins on Sunday."
)
_TABLE = """\
| place | type | meaning | where it is missing |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page, as Markdown."""
    head = "\n".join([_INTRODUCTION, *map(_paragraph, (_LIMITS, _FUNCTIONS)), _TABLE])
    return head + "".join(
        f"| `{place}` | {_type(field.type)} | {field.doc} | {field.missing or ''} |\n" for place, field in places()
    )


def places() -> Iterator[tuple[str, Field]]:
    """Every field with its place."""
    for name, field in vocabulary().names.items():
        yield from _below(name, field)


def _below(place: str, field: Field) -> Iterator[tuple[str, Field]]:
    yield place, field
    inner: Type | None = field.type
    if isinstance(inner, ListOf):
        place, inner = f"{place}[]", inner.item
    elif isinstance(inner, MapOf):
        place, inner = f"{place}.NAME", inner.value
    if isinstance(inner, Record):
        for name, one in inner.fields.items():
            yield from _below(f"{place}.{name}", one)


_WORDS = {
    Scalar.TRUTH: "true or false",
    Scalar.WHOLE: "whole number",
    Scalar.NUMBER: "number",
    Scalar.TEXT: "text",
    Scalar.MOMENT: "timestamp",
    Scalar.SPAN: "duration",
}


def _paragraph(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def _type(kind: Type | None) -> str:
    match kind:
        case Scalar():
            return _WORDS[kind]
        case Choices(words):
            return ", ".join(f'`"{word}"`' for word in words)
        case ListOf(item, at_most):
            return f"list of at most {at_most}" + (f": {_type(item)}" if isinstance(item, Scalar) else "")
        case MapOf():
            return "values by name"
    return "fields"


if __name__ == "__main__":
    sys.stdout.write(page())
