"""Names of stages and of steps, and the order that their `needs` make."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from tidegate.config.document import Document, Path
from tidegate.config.lookup import Item, words
from tidegate.config.problem import Problem, did_you_mean, quoted_list


def twice(document: Document, among: Collection[Item], what: str) -> Iterator[Problem]:
    """Items that have the name of one before them."""
    first: dict[str, Item] = {}
    for item in among:
        if item.name is None:
            continue
        if item.name in first:
            line = document.node((*first[item.name].path, "name")).position.line
            message = f'a second {what} with the name "{item.name}"; the first is in line {line}'
            yield document.problem((*item.path, "name"), message, "give each its own name")
        first.setdefault(item.name, item)


def needs(
    document: Document, among: Collection[Item], what: str, implied: Mapping[str, str], others: Mapping[str, str]
) -> Iterator[Problem]:
    """Unknown names in `needs`, and cycles.

    `implied` are the needs that a stage has because of its place; `others` are further names for items: name → item.
    """
    names = [item.name for item in among if item.name is not None]
    graph: dict[str, set[str]] = {name: {implied[name]} if name in implied else set() for name in names}
    for item in among:
        seen: set[str] = set()
        for path, word in words(item, "needs"):
            meant = others.get(word, word)
            if meant not in graph:
                hint = _unknown_need(word, names, others, what)
                yield document.problem(path, f'there is no {what} "{word}"', hint)
            elif word in seen:
                yield document.problem(path, f'"{word}" is here twice', "remove one")
            elif item.name is not None:
                graph[item.name].add(meant)
            seen.add(word)
    yield from _cycles(document, among, graph, implied, others)


def _unknown_need(word: str, names: Collection[str], others: Collection[str], what: str) -> str | None:
    if word == "build" and what == "stage":
        return "every stage needs the build anyway: remove it"
    return did_you_mean(word, (*names, *others)) or (f"there are {quoted_list(names)}" if names else None)


def _cycles(
    document: Document,
    among: Collection[Item],
    graph: Mapping[str, set[str]],
    implied: Mapping[str, str],
    others: Mapping[str, str],
) -> Iterator[Problem]:
    """One problem for each group of items that wait for each other, at one of the needs that make it so."""
    remaining = {name: sorted(needed) for name, needed in graph.items()}
    for _ in range(len(graph)):
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as error:
            # networks of a cycle are given in the direction "is needed by"
            circle: list[str] = list(reversed(error.args[1]))
            following = dict(pairwise(circle))
            yield _cycle(document, _place(among, following, others), circle, following, implied)
            for name in circle:
                remaining[name] = []
        else:
            return


def _place(among: Collection[Item], following: Mapping[str, str], others: Mapping[str, str]) -> Path:
    """The first of the needs that make a circle."""
    return next(
        path
        for item in among
        for path, word in words(item, "needs")
        if item.name and following.get(item.name) == others.get(word, word)
    )


def _cycle(
    document: Document, place: Path, circle: list[str], following: Mapping[str, str], implied: Mapping[str, str]
) -> Problem:
    message = "nothing can begin, each needs the next: " + " → ".join(f'"{name}"' for name in circle)
    by_place = [name for name in following if implied.get(name) == following[name]]
    hint = (
        f'"{by_place[0]}" needs the stage before it because it names none; "needs: []" says none' if by_place else None
    )
    return document.problem(place, message, hint)
