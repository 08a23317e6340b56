"""Where an artifact comes from: the step that made it, and what that was given of others."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.model.builders import a_report, a_step, a_step_run

from tidegate.model.ids import Digest, StepName
from tidegate.model.lease import BuiltFile
from tidegate.model.origin import Given, Origin, origins_of
from tidegate.model.step_run import StepRun, StepState

OUTPUTS = BuiltFile("package", "outputs.tar", Digest(f"sha256:{'0' * 64}"), 1)
WHEEL = BuiltFile("shop", "shop.whl", Digest(f"sha256:{'1' * 64}"), 1, handed_on=True)
NOTES = BuiltFile("notes", "notes.txt", Digest(f"sha256:{'2' * 64}"), 1)
IMAGE = BuiltFile("image", "image.tar", Digest(f"sha256:{'3' * 64}"), 1)

PACKAGE, OTHER, WRAPPED = StepName("package"), StepName("other"), StepName("image")


def ended(name: str, *needs: str, artifacts: tuple[BuiltFile, ...] = (), outputs: BuiltFile | None = None) -> StepRun:
    report = replace(a_report(), artifacts=artifacts, outputs=outputs)
    return replace(a_step_run(a_step(name, *needs), StepState.SUCCEEDED), report=report)


PACKAGED = ended("package", artifacts=(WHEEL, NOTES), outputs=OUTPUTS)


def test_an_artifact_is_made_from_those_that_were_handed_to_its_step() -> None:
    origins = origins_of([PACKAGED, ended("image", "package", artifacts=(IMAGE,))])
    given = Given(PACKAGE, OUTPUTS.digest, {"shop": WHEEL.digest})
    assert origins == (
        Origin("shop", PACKAGE, ()),
        Origin("notes", PACKAGE, ()),
        Origin("image", WRAPPED, (given,)),
    )
    assert origins[-1].made_from == {"shop": WHEEL.digest}


def test_what_a_step_does_not_need_it_was_not_given() -> None:
    *_, origin = origins_of([PACKAGED, ended("image", "other", artifacts=(IMAGE,))])
    assert origin == Origin("image", WRAPPED, ())


def test_an_artifact_of_a_step_without_outputs_was_given_to_nobody() -> None:
    packaged = ended("package", artifacts=(NOTES,))
    *_, origin = origins_of([packaged, ended("image", "package", artifacts=(IMAGE,))])
    assert origin.given == ()


def test_files_that_are_no_artifacts_are_known_by_their_archive() -> None:
    compiled = ended("other", outputs=OUTPUTS)
    (origin,) = origins_of([compiled, ended("image", "other", artifacts=(IMAGE,))])
    assert origin.given == (Given(OTHER, OUTPUTS.digest, {}),)
    assert origin.made_from == {}


def test_a_step_that_was_left_out_gave_nothing() -> None:
    left_out = a_step_run(a_step("package"), StepState.LEFT_OUT)
    (origin,) = origins_of([left_out, ended("image", "package", artifacts=(IMAGE,))])
    assert origin.given == ()
