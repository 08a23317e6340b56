"""How an agent stands, and how far its version may be from the server's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.model.agent import AWAY_AFTER, Agent, AgentState
from tidegate.model.version_skew import Release, too_far_apart

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("agent", "performs", "state"),
    [
        (Agent("a", NOW), 0, AgentState.NEVER_SEEN),
        (Agent("a", NOW, seen_at=NOW), 0, AgentState.IDLE),
        (Agent("a", NOW, seen_at=NOW), 2, AgentState.BUSY),
        (Agent("a", NOW, seen_at=NOW - AWAY_AFTER), 2, AgentState.AWAY),
        (Agent("a", NOW, seen_at=NOW - AWAY_AFTER + timedelta(seconds=1)), 0, AgentState.IDLE),
        (Agent("a", NOW, seen_at=NOW, drained_by="ada"), 1, AgentState.DRAINING),
        (Agent("a", NOW, seen_at=NOW, leaving=True), 1, AgentState.DRAINING),
        (Agent("a", NOW, seen_at=NOW, drained_by="ada"), 0, AgentState.DRAINED),
        (Agent("a", NOW, seen_at=NOW - AWAY_AFTER, drained_by="ada"), 0, AgentState.DRAINED),
        (Agent("a", NOW, seen_at=NOW - AWAY_AFTER, drained_by="ada"), 1, AgentState.AWAY),
    ],
)
def test_how_an_agent_stands(agent: Agent, performs: int, state: AgentState) -> None:
    assert agent.state(performs, NOW) is state


@pytest.mark.parametrize(
    ("server", "agent", "fits"),
    [
        ("1.4.0", "1.4.9", True),
        ("1.4.0", "1.5.0rc1", True),
        ("1.4.0", "1.3.2", True),
        ("1.4.0", "1.6.0", False),
        ("1.4.0", "1.2.9", False),
        ("1.0.0", "2.0.0", False),
        ("1.0.0", "0.1.0", False),
        ("1.10.0", "1.9.0", True),
        ("1.10.0", "1.1.0", False),
    ],
)
def test_versions_may_be_one_minor_release_apart(server: str, agent: str, fits: bool) -> None:
    problem = too_far_apart(server, agent)
    assert (problem is None) == fits
    assert fits or (problem and server in problem and agent in problem)


@pytest.mark.parametrize("text", ["", "1", "one.two", "v1.2", "-1.2"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        Release.of(text)
