"""When a fault from outside is put in, and what counts as found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tidegate.config.rehearsed import AGENT_STEP
from tidegate.model.rehearsal import End, Fault, FaultOutcome
from tidegate.rehearsal import injection as of
from tidegate.rehearsal.injection import Sight, injection

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Server:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.done.append(name)


def sight(state: str | None = None, step: int = 0, holds: str | None = None, *, steps: Any = (), **more: Any) -> Sight:
    known = {"state": state, "step": step, "holds_because": holds, "decided_at": None, "cause": None, **more}
    return Sight({"steps": list(steps)}, known if state else None)


def begin(fault: Fault) -> tuple[Server, Any]:
    server = Server()
    return server, injection(fault, server)  # type: ignore[arg-type]


def test_a_bad_version_is_found_when_it_goes_back_and_not_when_it_holds() -> None:
    _, one = begin(Fault.ERRORS)
    assert one.finding(sight()) is None
    assert one.finding(sight("judging", holds="it cannot tell")) is None
    found = one.finding(sight("returning", decided_at=AT.isoformat(), cause={"text": "errors: 5%"}))
    assert (found.at, found.why) == (AT, "errors: 5%")


def test_the_figures_stop_while_it_is_judged_and_come_back_when_that_was_said() -> None:
    server, one = begin(Fault.METRICS)
    one.look(sight("moving"))
    assert server.done == []
    one.look(sight("judging", holds="no request ended yet"))
    assert server.done == ["stop_figures"]
    assert one.finding(sight("judging", holds="no request ended yet")) is None
    held = sight("judging", holds="the figures could not be read")
    one.look(held)
    assert server.done == ["stop_figures", "go_on_with_figures"]
    assert "could not be read" in one.finding(held).why


@pytest.mark.parametrize("went_on", [sight("judging", step=1, holds="x"), sight("moving", step=1), sight("watching")])
def test_what_goes_on_without_figures_has_not_found_that_they_stopped(went_on: Sight) -> None:
    server, one = begin(Fault.METRICS)
    one.look(sight("judging"))
    one.look(went_on)
    assert one.finding(went_on) is None
    assert server.done == ["stop_figures", "go_on_with_figures"]


def test_the_server_is_killed_once_when_the_bad_version_has_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "SERVER_IS_DOWN_SECONDS", 0.0)
    server, one = begin(Fault.SERVER)
    for state in ("moving", "judging", "judging", "returning"):
        one.look(sight(state))
    assert server.done == ["kill", "start_again"]


def test_the_agent_is_killed_in_its_step_and_found_when_that_succeeds_all_the_same() -> None:
    server, one = begin(Fault.AGENT)
    step: dict[str, Any] = {"name": AGENT_STEP, "state": "ready", "ended_at": None, "earlier": [], "attempt": 1}
    one.look(sight(steps=[step]))
    assert server.done == []
    running = sight(steps=[{**step, "state": "running"}])
    one.look(running)
    one.look(running)
    assert server.done == ["kill_agent"]
    assert one.finding(sight(steps=[{**step, "state": "lost"}])) is None
    ended = {**step, "state": "succeeded", "ended_at": AT.isoformat()}
    assert one.finding(sight(steps=[ended])).at == AT


@pytest.mark.parametrize(
    ("fault", "found", "end", "well"),
    [
        (Fault.ERRORS, True, End.BEFORE, True),
        (Fault.ERRORS, False, End.BEFORE, False),
        (Fault.ERRORS, True, End.NEW, False),
        (Fault.SERVER, True, End.NEW, False),
        (Fault.METRICS, True, End.NEW, True),
        (Fault.AGENT, True, End.BEFORE, True),
        (Fault.AGENT, True, End.UNKNOWN, False),
    ],
)
def test_it_went_well_where_it_was_found_and_no_bad_version_serves(
    fault: Fault, found: bool, end: End, well: bool
) -> None:
    assert FaultOutcome(fault, found, "", 1.0, 10, 1, end).went_well is well
