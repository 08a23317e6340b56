"""In which order the steps of a build come, and which of them are wanted. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from tidegate.model.ids import StepName
from tidegate.model.pipeline import Step


class UnknownStep(Exception):
    """A build has no such step."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Agenda:
    """Gives each step when all that it needs have ended; of several the first in the file."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._missing = {step.name: len(set(step.needs)) for step in steps}
        self._needed_by: dict[StepName, list[int]] = {step.name: [] for step in steps}
        for position, step in enumerate(steps):
            for need in set(step.needs):
                self._needed_by[need].append(position)
        self._ready = [position for position, step in enumerate(steps) if not step.needs]

    def next(self) -> Step | None:
        """The next step, None while each that is left waits for others."""
        return self._steps[heapq.heappop(self._ready)] if self._ready else None

    def end(self, name: StepName) -> None:
        """Note that a step that was given has ended."""
        for position in self._needed_by[name]:
            waiting = self._steps[position].name
            self._missing[waiting] -= 1
            if not self._missing[waiting]:
                heapq.heappush(self._ready, position)


def chosen(steps: Sequence[Step], words: Iterable[str]) -> tuple[Step, ...]:
    """The steps that are meant by words, and all that they need, in the order of the file; all without a word.

    A word is a step's name, or means every step that a matrix made of it. Raises UnknownStep.
    """
    by_name = {step.name: step for step in steps}
    wanted: set[StepName] = set()
    left = [name for word in words for name in _meant(word, by_name)]
    if not left:
        return tuple(steps)
    while left:
        name = left.pop()
        if name not in wanted:
            wanted.add(name)
            left += by_name[name].needs
    return tuple(step for step in steps if step.name in wanted)


def _meant(word: str, names: Iterable[StepName]) -> list[StepName]:
    found = [name for name in names if name == word] or [name for name in names if name.startswith(f"{word} (")]
    if not found:
        raise UnknownStep(word)
    return found
