"""Steps as a service's team relies on them: performed by a real agent for a real HTTP server."""

from __future__ import annotations

from tests.integration.agent.world import World
from tidegate.model.lease import StepOutcome


def test_a_step_runs_in_a_clean_checkout_of_exactly_its_commit(running: World) -> None:
    running.change({"hello.txt": "newer\n"})
    report = running.perform("cat hello.txt; git rev-parse HEAD; git status --porcelain; echo end")
    assert report.outcome is StepOutcome.SUCCEEDED
    assert running.server.lines("STEP1") == ["hello", running.commit, "end"]
