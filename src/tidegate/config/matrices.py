"""A matrix as it stands in a file, and the steps that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidegate.config.lookup import Item
from tidegate.config.step_values import text_of
from tidegate.model.matrix import MOST_COMBINATIONS, Matrix, name_of

EXCLUDE = "exclude"
"""The key of a matrix that is no variable: the combinations that are left out."""


def matrix_of(keys: Mapping[str, Any]) -> Matrix:
    """The matrix of a file. What is no text or number is passed over: that is told where it stands."""
    values = {name: tuple(dict.fromkeys(_texts(one))) for name, one in keys.items() if name != EXCLUDE}
    exclude = tuple(_combination(one) for one in _listed(keys.get(EXCLUDE)) if isinstance(one, dict) and one)
    return Matrix(values, exclude)


def expanded_names(item: Item) -> tuple[str, ...]:
    """The names of the steps that an item of the file stands for; its own where it has no matrix."""
    matrix = item.keys.get("matrix")
    if item.name is None or not isinstance(matrix, dict):
        return () if item.name is None else (item.name,)
    found = matrix_of(matrix)
    if found.size > MOST_COMBINATIONS:
        return ()
    return tuple(name_of(item.name, one) for one in found.combinations())


def _listed(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else ()


def _texts(values: Any) -> Iterator[str]:
    for value in _listed(values):
        if (text := text_of(value)) is not None:
            yield text


def _combination(keys: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: text_of(value) for name, value in keys.items()}
    return {name: text for name, text in texts.items() if text is not None}
