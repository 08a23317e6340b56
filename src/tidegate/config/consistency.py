"""What the parts of a `tidegate.yaml` say of each other: names, needs, artifacts, variables.

It works on the plain file, so that these mistakes are found beside those of single values, all at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, pairwise

from tidegate.config.cadence_consistency import requires_itself
from tidegate.config.document import Document, Path, Plain
from tidegate.config.files_consistency import contradictions_in_setup
from tidegate.config.lookup import Item, at, get, items, words
from tidegate.config.matrices import expanded_names
from tidegate.config.order_consistency import needs, twice
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.rehearsal_sections import contradictions_in_rehearsals
from tidegate.config.stage_consistency import contradictions_in_stage
from tidegate.config.step_consistency import contradictions_in_steps
from tidegate.model.ids import EnvironmentName


def contradictions(document: Document, environments: Collection[EnvironmentName] | None) -> Iterator[Problem]:
    """Everything in the file that contradicts something else in it, or the names of the known environments."""
    pipeline = document.plain()
    steps = list(items(pipeline, ("build", "steps")))
    stages = list(items(pipeline, ("stages",)))
    places = (("steps",), ("deploy", "hooks", "after_rollback"))
    of_stages = [list(items(pipeline, (*stage.path, *place))) for stage in stages for place in places]
    yield from contradictions_in_setup(document, pipeline)
    for beside_each_other in (steps, *of_stages):
        yield from contradictions_in_steps(document, beside_each_other)
    yield from _artifacts(document, pipeline, steps)
    yield from _groups(document, list(chain(steps, *of_stages)))
    yield from _stage_order(document, stages)
    yield from _variables(document, pipeline)
    yield from requires_itself(document, pipeline)
    yield from contradictions_in_rehearsals(document, pipeline)
    for stage in stages:
        yield from contradictions_in_stage(document, stage, pipeline, environments)


def _stage_order(document: Document, stages: list[Item]) -> Iterator[Problem]:
    yield from twice(document, stages, "stage")
    implied: dict[str, str] = {}
    seen = {stages[0].name} if stages else set()
    for before, stage in pairwise(stages):
        # a name's second bearer implies nothing: so what is implied leads to earlier stages, never in a circle
        if stage.name and before.name and stage.name not in seen and "needs" not in stage.keys:
            implied[stage.name] = before.name
        seen.add(stage.name)
    yield from needs(document, stages, "stage", implied, {})


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
        if made and len(expanded_names(step)) > 1:
            message = "a step that is many cannot make artifacts: their names would not be unique"
            hint = 'make "outputs" of them, and the artifacts in a step that needs it'
            yield document.problem((*step.path, "artifacts"), message, hint, on_key=True)
    wanted = at(pipeline, ("runtime", "artifact"))
    if isinstance(wanted, str) and wanted not in makers:
        hint = did_you_mean(wanted, makers) or (
            f"they make {quoted_list(makers)}" if makers else 'add "artifacts" to the step that makes it'
        )
        yield document.problem(("runtime", "artifact"), f'no build step makes the artifact "{wanted}"', hint)


def _groups(document: Document, steps: Collection[Item]) -> Iterator[Problem]:
    """All steps of a group must say the same limit."""
    first: dict[str, tuple[int, Path]] = {}
    for step in steps:
        keys = step.keys.get("concurrency")
        group, limit = get(keys, "group", str), get(keys, "limit", int)
        if group is None or not isinstance(keys, dict):
            continue
        limit = 1 if "limit" not in keys else limit
        path: Path = (*step.path, "concurrency")
        if limit is None or limit < 1:
            continue
        before, where = first.setdefault(group, (limit, path))
        if before != limit:
            line = document.node(where).position.line
            message = f'the limit of the group "{group}" is {before} in line {line}, and {limit} here'
            yield document.problem((*path, "limit" if "limit" in keys else "group"), message, "give a group one limit")


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
