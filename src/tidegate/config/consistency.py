"""What the parts of a `tidegate.yaml` say of each other: names, needs, artifacts, variables.

It works on the plain file, so that these mistakes are found beside those of single values, all at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from tidegate.config.document import Document, Plain
from tidegate.config.lookup import Item, at, items, words
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.stage_consistency import contradictions_in_stage
from tidegate.model.ids import EnvironmentName


def contradictions(document: Document, environments: Collection[EnvironmentName] | None) -> Iterator[Problem]:
    """Everything in the file that contradicts something else in it, or the names of the known environments."""
    pipeline = document.plain()
    steps = list(items(pipeline, ("build", "steps")))
    stages = list(items(pipeline, ("stages",)))
    yield from _step_names(document, steps)
    yield from _artifacts(document, pipeline, steps)
    yield from _stage_order(document, stages)
    yield from _variables(document, pipeline)
    for stage in stages:
        yield from _step_names(document, list(items(pipeline, (*stage.path, "steps"))))
        yield from contradictions_in_stage(document, stage, pipeline, environments)


def _twice(document: Document, among: Collection[Item], what: str) -> Iterator[Problem]:
    first: dict[str, Item] = {}
    for item in among:
        if item.name is None:
            continue
        if item.name in first:
            line = document.node((*first[item.name].path, "name")).position.line
            message = f'a second {what} with the name "{item.name}"; the first is in line {line}'
            yield document.problem((*item.path, "name"), message, "give each its own name")
        first.setdefault(item.name, item)


def _step_names(document: Document, steps: Collection[Item]) -> Iterator[Problem]:
    yield from _twice(document, steps, "step")
    yield from _needs(document, steps, "step", {})


def _stage_order(document: Document, stages: list[Item]) -> Iterator[Problem]:
    yield from _twice(document, stages, "stage")
    implied: dict[str, str] = {}
    seen = {stages[0].name} if stages else set()
    for before, stage in pairwise(stages):
        # a name's second bearer implies nothing: so what is implied leads to earlier stages, never in a circle
        if stage.name and before.name and stage.name not in seen and "needs" not in stage.keys:
            implied[stage.name] = before.name
        seen.add(stage.name)
    yield from _needs(document, stages, "stage", implied)


def _needs(document: Document, among: Collection[Item], what: str, implied: Mapping[str, str]) -> Iterator[Problem]:
    """Unknown names in `needs`, and cycles; `implied` are the needs that a stage has because of its place."""
    names = [item.name for item in among if item.name is not None]
    graph: dict[str, set[str]] = {name: {implied[name]} if name in implied else set() for name in names}
    for item in among:
        seen: set[str] = set()
        for path, word in words(item, "needs"):
            if word not in graph:
                yield document.problem(path, f'there is no {what} "{word}"', _unknown_need(word, names, what))
            elif word in seen:
                yield document.problem(path, f'"{word}" is here twice', "remove one")
            elif item.name is not None:
                graph[item.name].add(word)
            seen.add(word)
    yield from _cycle(document, among, graph, implied)


def _unknown_need(word: str, names: Collection[str], what: str) -> str | None:
    if word == "build" and what == "stage":
        return "every stage needs the build anyway: remove it"
    return did_you_mean(word, names) or (f"there are {quoted_list(names)}" if names else None)


def _cycle(
    document: Document, among: Collection[Item], graph: Mapping[str, set[str]], implied: Mapping[str, str]
) -> Iterator[Problem]:
    """One problem for each group of items that wait for each other, at one of the needs that make it so."""
    remaining = {name: sorted(needs) for name, needs in graph.items()}
    for _ in range(len(graph)):
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as error:
            # networks of a cycle are given in the direction "is needed by"
            circle: list[str] = list(reversed(error.args[1]))
            yield _cycle_problem(document, among, circle, implied)
            for name in circle:
                remaining[name] = []
        else:
            return


def _cycle_problem(
    document: Document, among: Collection[Item], circle: list[str], implied: Mapping[str, str]
) -> Problem:
    following = dict(pairwise(circle))
    places = [
        path for item in among for path, word in words(item, "needs") if item.name and following.get(item.name) == word
    ]
    message = "nothing can begin, each needs the next: " + " → ".join(f'"{name}"' for name in circle)
    by_place = [name for name in following if implied.get(name) == following[name]]
    hint = (
        f'"{by_place[0]}" needs the stage before it because it names none; "needs: []" says none' if by_place else None
    )
    return document.problem(places[0], message, hint)


def _artifacts(document: Document, pipeline: Plain, steps: Collection[Item]) -> Iterator[Problem]:
    makers: dict[str, Item] = {}
    for step in steps:
        made = step.keys.get("artifacts")
        for name in made if isinstance(made, dict) else ():
            path = (*step.path, "artifacts", name)
            if name in makers:
                message = f'a second artifact with the name "{name}"; the first is made by "{makers[name].name}"'
                yield document.problem(path, message, "give each its own name", on_key=True)
            makers.setdefault(name, step)
    wanted = at(pipeline, ("runtime", "artifact"))
    if isinstance(wanted, str) and wanted not in makers:
        hint = did_you_mean(wanted, makers) or (
            f"they make {quoted_list(makers)}" if makers else 'add "artifacts" to the step that makes it'
        )
        yield document.problem(("runtime", "artifact"), f'no build step makes the artifact "{wanted}"', hint)


def _variables(document: Document, pipeline: Plain) -> Iterator[Problem]:
    runtime = Item(("runtime",), value) if isinstance(value := at(pipeline, ("runtime",)), dict) else None
    env = at(pipeline, ("runtime", "env"))
    seen: set[str] = set()
    for path, name in words(runtime, "secrets") if runtime else ():
        if isinstance(env, dict) and name in env:
            yield document.problem(path, f'"{name}" is in "env" already', "keep it in one of the two")
        elif name in seen:
            yield document.problem(path, f'"{name}" is here twice', "remove one")
        seen.add(name)
