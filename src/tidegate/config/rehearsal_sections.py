"""The section about rehearsals that the server begins by itself, and what it must not contradict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from tidegate.config.document import Document, Plain
from tidegate.config.lookup import Item, at, words
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.recurrence_section import RecurrenceSection
from tidegate.config.values import Rate, RuntimeVariable, UrlPath, one_of
from tidegate.model.rehearsal import Fault
from tidegate.model.rehearsal_rule import RehearsalRule

FaultWord = Annotated[Fault, *one_of(Fault)]
MOST_PATHS = 50


class RehearsalsSection(RecurrenceSection):
    """When the server rehearses the release that serves: so long after the last rehearsal, or at certain times."""

    faults: Annotated[
        tuple[FaultWord, ...],
        Field(min_length=1, max_length=len(Fault), description="What is put in, in this order; by default all."),
    ] = ()
    quick: Annotated[
        float, Field(strict=True, ge=1, le=100, description="Times are divided by this, and rates multiplied.")
    ] = 1.0
    traffic: Annotated[
        Rate | None, Field(description="What users send; without it, what the traffic log has for the last week.")
    ] = None
    paths: Annotated[
        tuple[UrlPath, ...],
        Field(
            min_length=1,
            max_length=MOST_PATHS,
            description="What users ask for; by default, what synthetic requests do.",
        ),
    ] = ()
    stand_ins: Annotated[
        dict[RuntimeVariable, str],
        Field(default_factory=dict, description="By name, values that will do for the secrets of `runtime`."),
    ]

    def rehearsals(self) -> RehearsalRule:
        """As the server uses it."""
        faults = tuple(dict.fromkeys(self.faults or Fault))
        return RehearsalRule(self.rule(), faults, self.quick, self.traffic, self.paths, dict(self.stand_ins))


def contradictions_in_rehearsals(document: Document, pipeline: Plain) -> Iterator[Problem]:
    """What cannot be rehearsed, and secrets for which nothing stands in."""
    section = at(pipeline, ("rehearsals",))
    if not isinstance(section, dict):
        return
    runtime = at(pipeline, ("runtime",))
    if not isinstance(runtime, dict) or not at(pipeline, ("stages",)):
        message = "there is nothing to rehearse: the pipeline deploys nothing"
        hint = 'remove it, or say in "runtime" and "stages" what is deployed'
        yield document.problem(("rehearsals",), message, hint, on_key=True)
        return
    secrets = [name for _, name in words(Item(("runtime",), runtime), "secrets")]
    given = section.get("stand_ins")
    stand_ins = given if isinstance(given, dict) else {}
    for name in stand_ins:
        if name not in secrets:
            hint = did_you_mean(str(name), secrets) or 'other variables belong to "env" of "runtime"'
            message = f'"{name}" is no secret of "runtime"'
            yield document.problem(("rehearsals", "stand_ins", name), message, hint, on_key=True)
    if missing := [name for name in secrets if name not in stand_ins]:
        message = f"a rehearsal gets no secrets of an environment, and nothing stands in for {quoted_list(missing)}"
        hint = f'write values that will do: stand_ins: {{{missing[0]}: "…"}}'
        yield document.problem(("rehearsals",), message, hint, on_key=True)
