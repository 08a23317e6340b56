"""The simulator catches engines that are broken on purpose: else its rules would be too weak."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.integration.sim import (
    drill_mutants,
    floor_mutants,
    gate_mutants,
    incident_mutants,
    metric_mutants,
    mutants,
    proof_mutants,
)
from tests.integration.sim.mutants import Mutant, Seeds, Told

from tidegate.sim.broken import RuleBroken
from tidegate.sim.random_run import simulate
from tidegate.sim.telling import Telling, ToldOtherwise
from tidegate.sim.world import WorldStuck

MUTANTS = (
    *mutants.MUTANTS,
    *gate_mutants.MUTANTS,
    *floor_mutants.MUTANTS,
    *proof_mutants.MUTANTS,
    *incident_mutants.MUTANTS,
    *drill_mutants.MUTANTS,
    *metric_mutants.MUTANTS,
)

TAKE_LONG = (
    "late effects act as the newest",
    "events are told before their changes",
    "the leases of a dead server are respected",
    "nobody looks while people are asked",
    "a policy is asked and not obeyed",
    "a floor asks for no earlier stage",
    "a no from outside is a yes",
    "an answer that is late is taken",
    "a floor lets policy open",
)
"""Caught only after some crashes or seeds, or near others that are: they are in `make crashes`, and not in the test
command."""

by_name = pytest.mark.parametrize(
    "mutant",
    [pytest.param(one, marks=pytest.mark.slow if one.name in TAKE_LONG else (), id=one.name) for one in MUTANTS],
)


@by_name
def test_an_engine_that_is_broken_on_purpose_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Telling.of(mutant.where.story) if isinstance(mutant.where, Told) else None
    mutant.breaks(monkeypatch)
    caught = caught_by(mutant, whole)
    assert caught is not None, "nobody noticed"
    assert caught.startswith(mutant.rule)


@pytest.mark.parametrize("take_long", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_engine_passes_where_a_mutant_is_caught_by_a_seed(take_long: bool) -> None:
    firsts = {
        one.where.first for one in MUTANTS if isinstance(one.where, Seeds) and (one.name in TAKE_LONG) == take_long
    }
    assert all(simulate(seed).failure is None for seed in firsts)


def caught_by(mutant: Mutant, whole: Telling | None) -> str | None:
    """What was noticed, None where nothing was. `whole` is the story as the real engine tells it."""
    match mutant.where:
        case Seeds(first, at_most):
            failures = (simulate(seed).failure for seed in range(first, first + at_most))
        case Told(story, None):
            failures = (failure_of(lambda: Telling.of(story)) for _ in range(1))
        case Told(_, int(crash_from)):
            assert whole is not None
            points = range(crash_from, whole.points + 1)
            failures = (failure_of(lambda point=point: whole.tell_again(point)) for point in points)  # type: ignore[misc]
    return next((one for one in failures if one), None)


def failure_of(telling: Callable[[], object]) -> str | None:
    try:
        telling()
    except (RuleBroken, ToldOtherwise, WorldStuck) as error:
        return str(error)
    return None
