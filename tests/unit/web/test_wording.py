"""States, times and figures in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from tidegate.model.rollout import RolloutState
from tidegate.model.run import RunStatus, StageState
from tidegate.model.step_run import StepState
from tidegate.model.verdict import Verdict
from tidegate.web.wording import Tone, ago, badge, figure, health_badge, moment, percent, span

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("states", [RunStatus, StageState, StepState, RolloutState, Verdict])
def test_every_state_has_words_without_underscores(states: type[StrEnum]) -> None:
    for state in states:
        assert badge(state).text
        assert "_" not in badge(state).text


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        (RunStatus.WAITING, Tone.ASKS),
        (RunStatus.ROLLED_BACK, Tone.BAD),
        (RunStatus.SUCCEEDED, Tone.GOOD),
        (StageState.FAILED, Tone.BAD),
        (StepState.FAILED, Tone.BAD),
        (StepState.SUCCEEDED, Tone.GOOD),
        (StepState.RUNNING, Tone.BUSY),
        (RolloutState.ROLLED_BACK, Tone.BAD),
        (RolloutState.SUCCEEDED, Tone.GOOD),
        (RolloutState.ASKING, Tone.ASKS),
        (Verdict.FAIL, Tone.BAD),
        (Verdict.NO_DATA, Tone.ASKS),
        (RunStatus.CANCELLED, Tone.QUIET),
    ],
)
def test_a_state_is_coloured_by_what_it_means(state: StrEnum, tone: Tone) -> None:
    assert badge(state).tone is tone


def test_no_data_and_undecided_look_like_neither_a_pass_nor_a_fail() -> None:
    for verdict in (Verdict.NO_DATA, Verdict.UNDECIDED):
        assert badge(verdict).tone not in (Tone.GOOD, Tone.BAD)


def test_health_that_is_not_known_here_looks_bad() -> None:
    assert health_badge("healthy").tone is Tone.GOOD
    assert health_badge("something new").tone is Tone.BAD


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=0), "just now"),
        (timedelta(seconds=-3), "just now"),
        (timedelta(seconds=42), "42s ago"),
        (timedelta(seconds=119.6), "2m ago"),
        (timedelta(minutes=61), "1h ago"),
        (timedelta(days=3, hours=5), "3d ago"),
    ],
)
def test_a_time_ago_is_told_in_its_largest_unit(passed: timedelta, words: str) -> None:
    assert ago(NOW - passed, NOW) == words


def test_a_moment_is_told_exactly_too() -> None:
    told = moment(NOW - timedelta(minutes=3), NOW)
    assert told is not None
    assert (told.ago, told.exact) == ("3m ago", "2026-03-04 11:57:00 UTC")
    assert moment(None, NOW) is None


def test_a_span_goes_on_until_its_end() -> None:
    assert span(None, None, NOW) == ""
    assert span(NOW - timedelta(seconds=90), None, NOW) == "1m 30s"
    assert span(NOW - timedelta(seconds=90), NOW - timedelta(seconds=60), NOW) == "30s"


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0, "0%"), (0.05, "5%"), (1.0, "100%"), (0.0012, "0.12%"), (0.13559, "13.6%")]
)
def test_a_fraction_has_three_digits_that_mean_something(fraction: float, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(None, "ms", "–"), (0.4, "%", "0.4%"), (48.2345, "ms", "48.2 ms"), (7.0, "", "7")]
)
def test_a_figure_carries_its_unit(value: float | None, unit: str, text: str) -> None:
    assert figure(value, unit) == text
