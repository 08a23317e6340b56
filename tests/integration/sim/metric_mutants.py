"""Engines that are broken on purpose in what they make of a service's own figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.integration.sim.mutants import Mutant, Patch, Told

from tidegate.engine import facts
from tidegate.engine.measuring import Measuring
from tidegate.judge.judge import Case
from tidegate.model.metric_judgement import with_metrics
from tidegate.model.verdict import Judgement, Verdict
from tidegate.sim.metric_stories import METRIC_STORIES

ORDERS, WISHES, NEW, DIES, _, DIES_AT_THE_WHOLE = METRIC_STORIES


def what_a_source_does_not_say_is_a_pass(patch: Patch) -> None:
    def overlook(judgement: Judgement, *_: object, **__: object) -> Judgement:
        return judgement

    patch.setattr(facts, "with_metrics", overlook)


def a_silent_source_is_harm(patch: Patch) -> None:
    def blame(judgement: Judgement, *rest: Any, **named: Any) -> Judgement:
        found = with_metrics(judgement, *rest, **named)
        silent = found.verdict is Verdict.NO_DATA and "does not answer" in found.reason
        return replace(found, verdict=Verdict.FAIL) if silent else found

    patch.setattr(facts, "with_metrics", blame)


def figures_of_its_own_are_not_judged(patch: Patch) -> None:
    def without(*case: Any) -> Case:
        return replace(Case(*case), metrics=())

    patch.setattr(facts, "Case", without)


def figures_of_its_own_are_never_read(patch: Patch) -> None:
    patch.setattr(Measuring, "look", lambda *_: None)


FEWER = "fewer orders are not promoted"
MUTANTS = (
    Mutant(
        "what a source does not say is a pass",
        what_a_source_does_not_say_is_a_pass,
        Told(DIES),
        "7 no figures of its own are no pass",
    ),
    Mutant(
        "what a source does not say at the whole is a pass",
        what_a_source_does_not_say_is_a_pass,
        Told(DIES_AT_THE_WHOLE),
        "7 no figures of its own are no pass",
    ),
    Mutant("a silent source is harm", a_silent_source_is_harm, Told(DIES), ""),
    Mutant("figures of its own are not judged", figures_of_its_own_are_not_judged, Told(ORDERS), FEWER),
    Mutant("usage is not judged", figures_of_its_own_are_not_judged, Told(WISHES), "the run is succeeded"),
    Mutant("figures of its own are never read", figures_of_its_own_are_never_read, Told(NEW), ""),
)
