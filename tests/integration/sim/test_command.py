"""The command that runs many seeds: what it counts, what it says of a failure, and how a run is replayed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner, Result

from tidegate.sim import campaign
from tidegate.sim.__main__ import main
from tidegate.sim.random_run import Outcome, simulate
from tidegate.sim.stories import STORIES
from tidegate.sim.telling import Telling, ToldOtherwise

BROKEN = 4


def sim(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, arguments)


def fails_at_a_seed(seed: int) -> Outcome:
    outcome = simulate(seed)
    return replace(outcome, failure="7 no data is not a pass: it left 10%\nhow it stood") if seed == BROKEN else outcome


def test_many_seeds_end_with_counts_of_runs_crashes_and_endings() -> None:
    result = sim("--first", "2", "--seeds", "3")
    assert result.exit_code == 0
    last = result.output.splitlines()[-1]
    assert last.startswith("3 seeds, ")
    assert "succeeded" in last
    assert "crashes: all rules held" in last


def test_in_a_pipe_lines_say_how_far_it_is() -> None:
    assert "1 of 2\n2 of 2\n" in sim("--seeds", "2").output


def test_several_processes_count_the_same_as_one() -> None:
    one, two = sim("--seeds", "2"), sim("--seeds", "2", "--jobs", "2")
    assert one.output.splitlines()[-1].split(", in ")[0] == two.output.splitlines()[-1].split(", in ")[0]


def test_a_failing_seed_is_printed_with_its_rule_and_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(campaign, "simulate", fails_at_a_seed)
    result = sim("--first", "3", "--seeds", "3")
    assert result.exit_code == 1
    assert "seed 4: 7 no data is not a pass: it left 10%\nhow it stood" in result.output
    assert "to replay it: python -m tidegate.sim --seed 4\n" in result.output
    assert ": 1 failed, in " in result.output.splitlines()[-1]


def test_a_replay_tells_every_event_and_the_ending() -> None:
    result = sim("--seed", "3")
    outcome = simulate(3)
    assert result.exit_code == 0
    assert "    0.000    1 service.added shop from sim:shop" in result.output
    assert "run.ended" in result.output
    assert result.output.endswith(f"fingerprint {outcome.fingerprint}\nall rules held\n")


def test_a_story_is_replayed_with_a_crash_where_one_is_asked_for() -> None:
    result = sim("--story", "a bad canary", "--crash-at", "9")
    assert result.exit_code == 0
    assert result.output.count("the server ends") == 1
    assert "it ended as it should" in result.output.splitlines()[-1]


def test_a_story_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    result = sim("--story", "a fairy tale")
    assert result.exit_code == 2
    assert "a bad canary" in result.output


def test_all_stories_are_counted_with_their_crash_points(monkeypatch: pytest.MonkeyPatch) -> None:
    story = STORIES[7]
    monkeypatch.setattr(campaign, "STORIES", (story,))
    monkeypatch.setattr(Telling, "tell_again", lambda _told, _point: None)
    result = sim("--stories")
    assert result.exit_code == 0
    assert f"{story.name}: " in result.output
    assert "1 stories, " in result.output.splitlines()[-1]
    assert ": all ended alike, in " in result.output.splitlines()[-1]


def test_a_crash_that_changes_a_storys_end_is_printed_with_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tell_again(_told: Telling, point: int) -> None:
        if point == 5:
            raise ToldOtherwise("the end is another")

    story = STORIES[7]
    monkeypatch.setattr(campaign, "STORIES", (story,))
    monkeypatch.setattr(Telling, "tell_again", tell_again)
    result = sim("--stories")
    assert result.exit_code == 1
    assert f"{story.name}, with a crash at 5: the end is another" in result.output
    assert f"to replay it: python -m tidegate.sim --story '{story.name}' --crash-at 5" in result.output
