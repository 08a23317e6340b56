"""Engines that are broken on purpose in their checks and their load checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tests.integration.sim.mutants import Mutant, Patch, Told

from tidegate.model import stage_checks, stage_proof
from tidegate.model.lease import StepReport
from tidegate.model.load import LoadReport, LoadRule, judge_load
from tidegate.model.stage_checks import Loaded, look_at_load
from tidegate.model.step_run import StepRun
from tidegate.model.verdict import Verdict
from tidegate.sim.proof_stories import PROOF_STORIES

_, FAILS, SATURATES, LOST, LOST_LOAD, _ = PROOF_STORIES


def a_check_that_fails_passes(patch: Patch) -> None:
    patch.setattr(stage_checks, "_harm", lambda step: None)
    patch.setattr(stage_checks, "_passed", lambda step: True)


def a_lost_round_is_a_pass(patch: Patch) -> None:
    patch.setattr(stage_checks, "_passed", lambda step: bool(step.reports))
    patch.setattr(stage_checks, "_lacks", lambda step: None)


def a_lost_round_is_harm(patch: Patch) -> None:
    patch.setattr(StepReport, "is_answer", property(lambda self: True))


def a_check_has_one_round(patch: Patch) -> None:
    patch.setattr(stage_checks, "_due_at", lambda step: None)


def every_load_check_is_enough(patch: Patch) -> None:
    patch.setattr(stage_proof, "judge_load", lambda *load: replace(judge_load(*load), verdict=Verdict.PASS))


def a_lost_load_check_is_a_pass(patch: Patch) -> None:
    def look(step: StepRun, rule: LoadRule, since: datetime, now: datetime) -> Loaded:
        loaded = look_at_load(step, rule, since, now)
        nothing = LoadReport((), now, now)
        return replace(loaded, report=nothing) if loaded.lacks and step.reports else loaded

    patch.setattr(stage_proof, "look_at_load", look)


def a_lost_load_check_is_made_no_more(patch: Patch) -> None:
    ready = stage_checks._ready

    def not_again(step: StepRun, now: datetime, earlier: Sequence[StepReport] = ()) -> StepRun:
        return step if step.step.load and earlier else ready(step, now, earlier)

    patch.setattr(stage_checks, "_ready", not_again)


CHECKS, LOADS = "nothing passes before its checks did", "nothing passes before its load check did"
MUTANTS = (
    Mutant("a check that fails passes", a_check_that_fails_passes, Told(FAILS), CHECKS),
    Mutant("a lost round is a pass", a_lost_round_is_a_pass, Told(LOST), CHECKS),
    Mutant("a lost round is harm", a_lost_round_is_harm, Told(LOST), "the run is rolled_back, not succeeded"),
    Mutant("a check has one round", a_check_has_one_round, Told(LOST), ""),
    Mutant("every load check is enough", every_load_check_is_enough, Told(SATURATES), LOADS),
    Mutant("a lost load check is a pass", a_lost_load_check_is_a_pass, Told(LOST_LOAD), LOADS),
    Mutant("a lost load check is made no more", a_lost_load_check_is_made_no_more, Told(LOST_LOAD), ""),
)
