"""A share of the traffic."""

from __future__ import annotations

from dataclasses import dataclass

WHOLE_PARTS = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Share:
    """A part of a placement's traffic, counted in ten-thousandths so that shares add up exactly.

    Raises ValueError outside of 0 to 10,000 parts.
    """

    parts: int

    def __post_init__(self) -> None:
        if not 0 <= self.parts <= WHOLE_PARTS:
            raise ValueError(f"a share lies between 0% and 100%, not at {self.parts / 100:g}%")

    @classmethod
    def percent(cls, value: float) -> Share:
        """The share of `value` percent, rounded to a hundredth of a percent."""
        return cls(round(value * 100))

    @property
    def fraction(self) -> float:
        """The share as a number from 0 to 1."""
        return self.parts / WHOLE_PARTS

    @property
    def rest(self) -> Share:
        """What is left of the whole."""
        return Share(WHOLE_PARTS - self.parts)

    def of(self, count: int) -> int:
        """How many of `count` instances serve at least this share: rounded up, at least one unless it is 0%."""
        return -(-self.parts * count // WHOLE_PARTS)

    def __str__(self) -> str:
        return f"{self.parts / 100:g}%"


NONE = Share(0)
WHOLE = Share(WHOLE_PARTS)
