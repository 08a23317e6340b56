"""What a matrix must not contradict: itself, its step, and the names of the steps beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from tidegate.config.document import Document, Path, Plain
from tidegate.config.lookup import Item, words
from tidegate.config.matrices import EXCLUDE, expanded_names, matrix_of
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.step_sections import MOST_STEPS
from tidegate.config.step_values import is_image, text_of
from tidegate.config.values import LONGEST_NAME
from tidegate.model.matrix import IMAGE, MOST_COMBINATIONS, Matrix

MOST_NEEDS = 20_000
"""Of all steps beside each other, with one for each step of a matrix that is needed."""


def contradictions_in_matrices(document: Document, steps: Collection[Item]) -> Iterator[Problem]:
    """Everything that is wrong with the matrices of steps beside each other, and with the names that they make."""
    for step in steps:
        keys = step.keys.get("matrix")
        if isinstance(keys, dict):
            yield from _values(document, step, keys)
            yield from _beside(document, step, keys)
            yield from _combinations(document, step, matrix_of(keys))
            yield from _excluded(document, step, keys)
    yield from _names(document, steps)
    yield from _sizes(document, steps)


def variables_of_matrix(step: Item) -> tuple[str, ...]:
    """The variables that a step's matrix sets."""
    keys = step.keys.get("matrix")
    return tuple(name for name in keys if name not in (IMAGE, EXCLUDE)) if isinstance(keys, dict) else ()


def _values(document: Document, step: Item, keys: Mapping[str, Plain]) -> Iterator[Problem]:
    """Values that are no texts, that say something else than what is written, or that are there twice."""
    for name, values in keys.items():
        if name == EXCLUDE or not isinstance(values, list):
            continue
        seen: set[str] = set()
        for index, value in enumerate(values):
            path: Path = (*step.path, "matrix", name, index)
            text = text_of(value)
            if isinstance(value, dict):
                near = did_you_mean(name, (EXCLUDE,))
                yield document.problem(path, "expected a text or a number, found keys with values", near)
            elif text in seen:
                yield document.problem(path, f'"{text}" is here twice', "remove one")
            elif isinstance(value, int | float) and text is not None:
                yield from _number(document, path, text)
            elif name == IMAGE and text is not None and not is_image(text):
                yield document.problem(path, f'"{text}" is not the name of an image')
            seen.add(text or "")


def _number(document: Document, path: Path, text: str) -> Iterator[Problem]:
    written = document.node(path).written
    if written != text:
        message = f"the number {written} would become {text}"
        yield document.problem(path, message, f'write it in quotes: "{written}"')


def _beside(document: Document, step: Item, keys: Mapping[str, Plain]) -> Iterator[Problem]:
    """What the step says beside its matrix."""
    path: Path = (*step.path, "matrix")
    env = step.keys.get("env")
    for name in keys:
        if isinstance(env, dict) and name in env and name not in (IMAGE, EXCLUDE):
            message = f'"{name}" is in "env" already'
            yield document.problem((*path, name), message, "keep it in one of the two", on_key=True)
    if IMAGE in keys and "image" in step.keys:
        message = 'the step has an "image" already'
        yield document.problem((*path, IMAGE), message, "keep one of the two", on_key=True)
    if not any(name != EXCLUDE for name in keys) and keys:
        yield document.problem(path, "the matrix has no variable", "name one with its values", on_key=True)


def _combinations(document: Document, step: Item, matrix: Matrix) -> Iterator[Problem]:
    path: Path = (*step.path, "matrix")
    if matrix.size > MOST_COMBINATIONS:
        message = f"{matrix.size:,} combinations; the limit is {MOST_COMBINATIONS}"
        yield document.problem(path, message, "make several steps, or fewer values", on_key=True)
    elif matrix.values and matrix.size and next(matrix.combinations(), None) is None:
        message = "every combination is left out"
        yield document.problem((*path, EXCLUDE), message, "leave one", on_key=True)


def _excluded(document: Document, step: Item, keys: Mapping[str, Plain]) -> Iterator[Problem]:
    """Combinations to leave out that there are not."""
    matrix = matrix_of(keys)
    left_out = keys.get(EXCLUDE)
    for index, combination in enumerate(left_out if isinstance(left_out, list) else ()):
        path: Path = (*step.path, "matrix", EXCLUDE, index)
        if not isinstance(combination, dict):
            yield document.problem(path, 'expected keys with values, like {PYTHON: "3.12"}')
            continue
        for name, value in combination.items():
            text = text_of(value)
            if text is not None and isinstance(value, int | float):
                yield from _number(document, (*path, name), text)
            if name not in matrix.values:
                hint = did_you_mean(name, matrix.values) or f"there are {quoted_list(matrix.values)}"
                yield document.problem((*path, name), f'the matrix has no "{name}"', hint, on_key=True)
            elif text is not None and text not in matrix.values[name]:
                known = matrix.values[name]
                hint = did_you_mean(text, known) or f"there are {quoted_list(known)}"
                yield document.problem((*path, name), f'"{name}" has no value "{text}"', hint)


def _names(document: Document, steps: Collection[Item]) -> Iterator[Problem]:
    """Names that combinations make: not twice, and not too long."""
    seen = {step.name for step in steps if step.name and "matrix" not in step.keys}
    for step in steps:
        names = expanded_names(step)
        if "matrix" not in step.keys or step.name in seen:
            continue
        path: Path = (*step.path, "matrix")
        taken = next((name for name, count in Counter(names).items() if count > 1 or name in seen), None)
        if taken is not None:
            message = f'a combination makes a second step with the name "{taken}"'
            yield document.problem(path, message, "give one another name", on_key=True)
        if long := next((name for name in names if len(name) > LONGEST_NAME), None):
            message = f'a combination makes the name "{long}", of more than {LONGEST_NAME} characters'
            yield document.problem(path, message, "use a shorter name, or shorter values", on_key=True)
        seen |= {step.name or "", *names}


def _sizes(document: Document, steps: Collection[Item]) -> Iterator[Problem]:
    """How many steps and needs the matrices make of a short file."""
    counts = {step.name: len(expanded_names(step)) for step in steps}
    total = sum(counts.values())
    needs = sum(counts[step.name] * sum(counts.get(word, 1) for _, word in words(step, "needs")) for step in steps)
    for count, what, limit in ((total, "steps", MOST_STEPS), (needs, "needs", MOST_NEEDS)):
        if count > limit and total > len(steps):
            message = f"with their matrices these are {count:,} {what}; the limit is {limit:,}"
            place = next(iter(steps)).path[:-1]
            yield document.problem(place, message, "make fewer combinations", on_key=True)
