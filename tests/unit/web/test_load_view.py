"""A load check on a run's page: what it says, rate by rate, with its capacity and its knee."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.model.builders import BLUE_GREEN, NOON, PRODUCTION, a_rollout, a_step
from tests.unit.model.test_load import SATURATED, a_ramp

from tidegate.model.load import LoadRule
from tidegate.model.pipeline import VerifyRule
from tidegate.web.rollout_view import rollout_view
from tidegate.web.wording import Tone

VERIFY = VerifyRule(load=replace(a_step("load check"), load=LoadRule(PRODUCTION, 1.0)))


def test_each_rate_says_whether_it_was_held_and_which_of_them_matter() -> None:
    rollout = replace(a_rollout(BLUE_GREEN, VERIFY), load=a_ramp(*SATURATED))
    load = rollout_view(rollout, {}, (), NOON).load
    assert load is not None and load.verdict.tone is Tone.BAD
    assert load.reason.startswith("load check: the service held 1.5 times the busiest minute")
    assert [row.rate for row in load.rows][:2] == ["22.5 requests/min", "45 requests/min"]
    assert [row.held.text for row in load.rows] == ["held"] * 6 + ["not held"] * 2
    assert [row.mark for row in load.rows] == ["", "", "", "", "", "capacity", "p99 leaves", ""]
    assert (load.rows[6].answered, load.rows[6].p99) == ("142 requests/min", "480 ms")


def test_before_it_was_made_there_is_nothing_to_show() -> None:
    assert rollout_view(a_rollout(BLUE_GREEN, VERIFY), {}, (), NOON).load is None
