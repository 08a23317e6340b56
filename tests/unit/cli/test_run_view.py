"""A run in words."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.cli import run_view
from tidegate.cli.exit_code import ExitCode


def run(status: str = "running", **more: Any) -> dict[str, Any]:
    document = {"id": "01jd", "service": "shop", "commit": "1a2b3c4d5e", "status": status, "because": [], "next": []}
    return document | more


@pytest.mark.parametrize("status", ["succeeded", "failed", "rolled_back", "cancelled", "rejected", "superseded"])
def test_an_ended_run_waits_for_nobody(status: str) -> None:
    again = {"text": "to try again", "command": "tidegate retry 01jd"}
    assert not run_view.waits_for_person(run(status, next=[again]))
    assert run_view.exit_code_of(run(status)) is (ExitCode.DONE if status == "succeeded" else ExitCode.FAILED)


def test_a_run_waits_for_a_person_only_where_a_command_ends_the_waiting() -> None:
    window = {"text": "the window opens on Monday", "command": None}
    approval = {"text": "one approval", "command": "tidegate approve 01jd"}
    assert not run_view.waits_for_person(run("waiting", next=[window]))
    asking = run("running", next=[window, approval])
    assert run_view.waits_for_person(asking)
    assert run_view.next_acts(asking) == ("tidegate approve 01jd  # one approval",)
    assert run_view.exit_code_of(asking) is ExitCode.REFUSED


def test_the_standing_of_a_run_says_how_long_and_why() -> None:
    times = {"created_at": "2026-03-01T12:00:00Z", "ended_at": "2026-03-01T12:03:02.4+00:00"}
    text = run_view.standing(run("rolled_back", because=[{"text": "staging: too slow"}], **times))
    assert text == "1a2b3c4d rolled back after 3m 2s: staging: too slow"


@pytest.mark.parametrize(("share", "text"), [(0.05, "5%"), (1, "100%"), (0.005, "0.5%"), ("5%", "5%")])
def test_shares_are_written_as_people_write_them(share: object, text: str) -> None:
    assert run_view.percent(share) == text


def test_short_times_keep_their_milliseconds() -> None:
    assert run_view.seconds_text(0.0421) == "0.042 s"
    assert run_view.seconds_text(75.4) == "1m 15s"
    assert run_view.seconds_text(None) == ""
