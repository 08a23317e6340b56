"""What must be there before policy may open a gate in a person's place; each part is named where it lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import STAGE_PRODUCTION, STAGE_STAGING, a_pipeline, a_proven_pipeline

from tidegate.model.foundation import missing_foundation, pipeline_lacks
from tidegate.model.pipeline import Build, Mode, OnDoubt, Pipeline, VerifyRule
from tidegate.model.service import effective_mode

PROVEN = a_proven_pipeline()


def with_stage(name: str, **changes: object) -> Pipeline:
    stages = tuple(replace(one, **changes) if one.name == name else one for one in PROVEN.stages)  # type: ignore[arg-type]
    return replace(PROVEN, stages=stages)


def test_a_pipeline_that_has_all_lacks_nothing() -> None:
    assert missing_foundation(PROVEN, STAGE_PRODUCTION) == ()
    assert pipeline_lacks(PROVEN, frozenset({"production"})) == ()


@pytest.mark.parametrize(
    ("pipeline", "lack"),
    [
        (replace(PROVEN, build=Build(())), "automated tests"),
        (with_stage(STAGE_PRODUCTION, needs=()), "no earlier stage"),
        (with_stage(STAGE_STAGING, verify=None), "no earlier stage"),
        (with_stage(STAGE_PRODUCTION, verify=None), "is not verified"),
        (with_stage(STAGE_PRODUCTION, verify=VerifyRule(undecided=OnDoubt.PROMOTE)), "no rollback comes by itself"),
        (with_stage(STAGE_PRODUCTION, verify=VerifyRule(no_data=OnDoubt.PROMOTE)), "no rollback comes by itself"),
    ],
)
def test_what_is_taken_away_is_named_and_a_person_opens_the_gate_again(pipeline: Pipeline, lack: str) -> None:
    (missing,) = missing_foundation(pipeline, STAGE_PRODUCTION)
    assert lack in missing
    assert pipeline_lacks(pipeline, frozenset({"production"})) == (f"production: {missing}",)
    decided = effective_mode(Mode.DEPLOYMENT, Mode.DEPLOYMENT, protected=True, lacks=(missing,))
    assert decided.mode is Mode.DELIVERY
    assert lack in decided.because.text


def test_a_pipeline_without_anything_lacks_all_of_it() -> None:
    assert len(missing_foundation(a_pipeline(), STAGE_PRODUCTION)) == 3


def test_the_server_says_never_whatever_is_wished_granted_and_there() -> None:
    decided = effective_mode(Mode.DEPLOYMENT, Mode.DEPLOYMENT, protected=True, forbidden_by="floor regulated")
    assert (decided.mode, "floor regulated" in decided.because.text) == (Mode.DELIVERY, True)
    assert effective_mode(Mode.DEPLOYMENT, None, False, forbidden_by="x").mode is Mode.DEPLOYMENT
