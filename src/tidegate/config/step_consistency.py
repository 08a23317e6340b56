"""What the steps beside each other must not contradict: each other, and each itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain

from tidegate.config.document import Document
from tidegate.config.expression_problems import problem_of_flaw
from tidegate.config.files_consistency import contradictions_in_files, repeated
from tidegate.config.lookup import Item, get, words
from tidegate.config.matrices import expanded_names
from tidegate.config.matrix_consistency import contradictions_in_matrices, variables_of_matrix
from tidegate.config.order_consistency import needs, twice
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.model import condition

TOLD_VARIABLES = ("TIDEGATE_COMMIT", "TIDEGATE_BRANCH", "TIDEGATE_RUN", "TIDEGATE_ATTEMPT")
"""Those that differ from run to run, so that a step with inputs is only told what it names."""


def contradictions_in_steps(document: Document, steps: Collection[Item]) -> Iterator[Problem]:
    """Everything that is wrong between steps beside each other, and between the keys of one."""
    names = {item.name: expanded_names(item) for item in steps if item.name is not None}
    others = {expanded: name for name, many in names.items() for expanded in many if expanded not in names}
    yield from twice(document, steps, "step")
    yield from contradictions_in_matrices(document, steps)
    yield from needs(document, steps, "step", {}, others)
    final = {one.name for one in steps if one.keys.get("irreversible") is True}
    for step in steps:
        yield from contradictions_in_files(document, step)
        yield from repeated(document, step, "labels")
        yield from _variables(document, step)
        yield from _services(document, step)
        yield from _condition(document, step, names)
        yield from _failed_first(document, step)
        yield from _before_the_last(document, step, final)


def _before_the_last(document: Document, step: Item, final: Collection[str | None]) -> Iterator[Problem]:
    """What cannot be undone comes last: nothing else needs any of these."""
    for path, word in words(step, "needs"):
        if word in final and step.name not in final:
            message = f'it needs "{word}", which cannot be undone and therefore runs last'
            yield document.problem(path, message, "remove it, or mark this step irreversible as well")


def _variables(document: Document, step: Item) -> Iterator[Problem]:
    """A `$NAME` among the inputs that no step has a value of."""
    env = step.keys.get("env")
    known = (*TOLD_VARIABLES, *(env if isinstance(env, dict) else ()), *variables_of_matrix(step))
    for path, word in words(step, "inputs"):
        if word.startswith("$") and word[1:].isidentifier() and word[1:] not in known:
            hint = did_you_mean(word[1:], known) or f"there are {quoted_list(known)}"
            yield document.problem(path, f'the step is told no variable "{word[1:]}"', hint)


def _services(document: Document, step: Item) -> Iterator[Problem]:
    """Services become variables: `$NAME_HOST` and `$NAME_PORT`."""
    services = step.keys.get("services")
    env = step.keys.get("env")
    taken = {*(env if isinstance(env, dict) else ()), *variables_of_matrix(step)}
    seen: dict[str, str] = {}
    for name in services if isinstance(services, dict) else ():
        path = (*step.path, "services", name)
        prefix = name.upper().replace("-", "_")
        if prefix in seen:
            message = f'"{name}" and "{seen[prefix]}" are both found at ${prefix}_HOST'
            yield document.problem(path, message, "give each its own name", on_key=True)
        seen.setdefault(prefix, name)
        for variable in (f"{prefix}_HOST", f"{prefix}_PORT"):
            if variable in taken:
                message = f'the variable {variable} says where "{name}" is, and the step sets it as well'
                yield document.problem(path, message, "give one of them another name", on_key=True)


def _condition(document: Document, step: Item, names: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    expression = get(step.keys, "if", str)
    if expression is None:
        return
    needed = list(chain.from_iterable(names.get(word, (word,)) for _, word in words(step, "needs")))
    for flaw in condition.check(expression, needed):
        yield problem_of_flaw(document, (*step.path, "if"), flaw)


def _failed_first(document: Document, step: Item) -> Iterator[Problem]:
    """Which tests failed is known from the step's report alone."""
    reports = step.keys.get("reports")
    if "failed_first" in step.keys and not (isinstance(reports, dict) and "junit" in reports):
        message = '"failed_first" needs a report that says which tests failed'
        hint = "have the step write a JUnit report, and name it: reports: {junit: FILE}"
        yield document.problem((*step.path, "failed_first"), message, hint, on_key=True)
