"""What the browser's tests want to see: a run at its gate, under verification, or with a step that runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from playwright.sync_api import Page, expect
from tests.integration.api.world import AGENT, World, eventually

from tidegate.model.verdict import Verdict


def at_its_gate(world: World) -> str:
    """A first run that waits for a person; its id."""
    run = world.add_shop()
    world.build()
    world.waits(run)
    return run


def under_verification(world: World, subject: str = "Add discounts") -> str:
    """A second version at the first share of its canary, which nobody is certain of; its run."""
    world.shop_in_production()
    world.judge.verdict = Verdict.UNDECIDED
    run = world.push(subject)
    world.build()
    world.waits(run)
    world.post(f"/runs/{run}/approve")

    def _judged() -> bool:
        rollouts = world.get(f"/runs/{run}")["rollouts"]
        return len(rollouts) == 2 and rollouts[1]["state"] == "judging" and bool(rollouts[1]["judgement"])

    eventually(_judged, "the judgement at the first share")
    return run


class LeasedStep:
    """A step that an agent performs while the test looks."""

    def __init__(self, agent: httpx.Client) -> None:
        self._agent = agent
        (self.lease,) = agent.post("/api/v1/agents/one/lease", json={"slots_free": 1, "held": []}).json()
        self._sent = 0

    def writes(self, *lines: str) -> None:
        """More lines of its log."""
        now = datetime.now(UTC).isoformat()
        body = {"first": self._sent, "lines": [{"at": now, "text": line} for line in lines]}
        self._sent += len(lines)
        assert self._send("log", body) == {"next": self._sent}

    def ends(self, outcome: str = "succeeded", exit_code: int = 0, detail: str = "") -> None:
        """Its result."""
        now = datetime.now(UTC).isoformat()
        report = {"outcome": outcome, "exit_code": exit_code, "detail": detail, "began_at": now, "ended_at": now}
        assert self._send("result", {"report": report}) == {"accepted": True}

    @property
    def id(self) -> str:
        """The step run."""
        return str(self.lease["step_run"])

    def _send(self, what: str, body: dict[str, Any]) -> Any:
        own = {"attempt": self.lease["attempt"], "fence": self.lease["fence"]}
        answer = self._agent.post(f"/api/v1/steps/{self.id}/{what}", json={**own, **body})
        assert answer.is_success, answer.text
        return answer.json()


def agent_of(world: World) -> httpx.Client:
    """An agent's client."""
    return world.client(AGENT)


def mark(page: Page) -> None:
    """Remember this document: it is gone once the page is loaded anew."""
    page.evaluate("window.sameDocument = true")


def expect_not_reloaded(page: Page) -> None:
    """The document is the one that was marked."""
    assert page.evaluate("window.sameDocument === true")


def expect_status(page: Page, text: str) -> None:
    """What the run's page says beside its title."""
    expect(page.locator("h1 .badge")).to_have_text(text)
