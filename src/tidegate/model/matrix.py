"""A matrix: one step of a file that is many, one for each combination of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

MOST_COMBINATIONS = 256
"""Of one matrix, with those that are left out."""

IMAGE = "image"
"""The key of a matrix that is no variable: its values are images of the step."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The values by variable, in the order of the file, and the partial combinations that are left out."""

    values: Mapping[str, tuple[str, ...]]
    exclude: tuple[Mapping[str, str], ...] = ()

    @property
    def size(self) -> int:
        """How many combinations there are, with those that are left out."""
        return prod(len(values) for values in self.values.values())

    def combinations(self) -> Iterator[dict[str, str]]:
        """The combinations that are not left out; the last variable changes first."""
        for chosen in product(*self.values.values()):
            combination = dict(zip(self.values, chosen, strict=True))
            if not any(left_out.items() <= combination.items() for left_out in self.exclude):
                yield combination


def name_of(step: str, combination: Mapping[str, str]) -> str:
    """What the step of a combination is called."""
    return f"{step} ({', '.join(combination.values())})"
