"""What a gate's policies must not be: about what there is not, of wrong types, too much work, called the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tidegate.config.document import Document, Path, Plain
from tidegate.config.expression_problems import problem_of_flaw
from tidegate.config.lookup import at, items
from tidegate.config.problem import Problem
from tidegate.model import ask_policy


def contradictions_in_policies(
    document: Document, gate: Path, stages: Collection[str] | None = None
) -> Iterator[Problem]:
    """Everything that is wrong with the policies of the gate at a place of the file. `stages` are the pipeline's
    stages, None where the policies are for many pipelines."""
    seen: set[str] = set()
    written = at(document.plain(), (*gate, "policy"))
    for index, one in enumerate(written if isinstance(written, list) else [written]):
        path: Path = (*gate, "policy", index) if isinstance(written, list) else (*gate, "policy")
        if isinstance(one, dict):
            yield from _named_twice(document, path, one, seen)
        expression = one.get("expression") if isinstance(one, dict) else one
        if isinstance(expression, str):
            place: Path = (*path, "expression") if isinstance(one, dict) else path
            for flaw in ask_policy.check(expression, stages):
                yield problem_of_flaw(document, place, flaw)


def stage_names(pipeline: Plain) -> tuple[str, ...]:
    """The names of a pipeline's stages, as far as they have any."""
    return tuple(one.name for one in items(pipeline, ("stages",)) if one.name)


def contradictions_in_server(document: Document) -> Iterator[Problem]:
    """Everything that is wrong with the policies of the server's own file."""
    plain = document.plain()
    environments, floors = at(plain, ("environments",)), at(plain, ("floors",))
    for name in environments if isinstance(environments, dict) else ():
        yield from contradictions_in_policies(document, ("environments", name, "gate"))
    for index in range(len(floors) if isinstance(floors, list) else 0):
        yield from contradictions_in_policies(document, ("floors", index, "gate"))


def _named_twice(document: Document, path: Path, one: dict[str, Plain], seen: set[str]) -> Iterator[Problem]:
    name = one.get("name")
    if isinstance(name, str):
        if name in seen:
            yield document.problem((*path, "name"), f'a second policy "{name}" at this gate', "give each its own name")
        seen.add(name)
