"""The story: each version is committed, built, deployed and judged, and ends as it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import httpx

from tidegate.demo.server_process import DemoFailed
from tidegate.demo.traffic import Answered, Traffic
from tidegate.demo.versions import ServiceRepository, Version

VERSION_WITHIN_SECONDS = 300.0
PERSON_WITHIN_SECONDS = 3600.0
REQUESTS_PER_SECOND = 80.0
LOOK_EVERY_SECONDS = 0.2
ENVIRONMENT = "production"


class Audience(Protocol):
    """Whoever watches the story."""

    def version_begins(self, version: Version, commit: str) -> None:
        """A version was committed."""

    def happened(self, event: dict[str, Any]) -> None:
        """An event of its run."""

    def approval_is_asked(self, run: str) -> bool:
        """A run waits at its gate; whether a person is going to answer (else the demo user approves)."""


@dataclass(frozen=True, slots=True)
class Played:
    """One version and how it ended. `decided_at` and `bad_deployment` are set where it was rolled back."""

    version: Version
    commit: str
    run: str
    status: str
    gates: tuple[str, ...]
    decided_at: datetime | None = None
    deployment: str | None = None
    why: str = ""

    @property
    def as_told(self) -> bool:
        """Whether it ended as the story says."""
        return self.status == ("rolled_back" if self.version.is_faulty else "succeeded")


class Story:
    """Plays versions on a server, one after another, with steady traffic to production."""

    def __init__(
        self, admin: httpx.Client, demo_user: httpx.Client, repository: ServiceRepository, audience: Audience
    ) -> None:
        self._admin = admin
        self._demo_user = demo_user
        self._repository = repository
        self._audience = audience
        self._service = ""
        self._traffic: Traffic | None = None
        self._seen = 0

    def play(self, versions: tuple[Version, ...]) -> tuple[Played, ...]:
        """Play the versions, up to one that does not end as told; what became of each.

        Raises DemoFailed where one does not end in time.
        """
        played: list[Played] = []
        try:
            for version in versions:
                played.append(self._play(version))
                if not played[-1].as_told:
                    break  # what comes after it would wait for a line that it stopped
        finally:
            if self._traffic:
                self._traffic.stop()
        return tuple(played)

    def answers(self) -> tuple[Answered, ...]:
        """What became of every request."""
        return self._traffic.answers() if self._traffic else ()

    def _play(self, version: Version) -> Played:
        first = not self._service
        if first:
            self._repository.create()
        commit = self._repository.commit(version)
        self._audience.version_begins(version, commit)
        if first:
            answer = self._post("/api/v1/services", {"repository": str(self._repository.folder)})
            self._service = answer["service"]["name"]
        run = self._wait(lambda: self._find_run(commit), VERSION_WITHIN_SECONDS, f"a run of {commit[:8]}")
        self._follow(run)
        return self._describe(version, commit, run)

    def _find_run(self, commit: str) -> str | None:
        items = self._get("/api/v1/runs", service=self._service)["items"]
        return next((item["id"] for item in items if item["commit"] == commit), None)

    def _follow(self, run: str) -> None:
        """Show what happens until the run, and the watch after it, has ended; approve where nobody else does."""
        give_up_at = time.monotonic() + VERSION_WITHIN_SECONDS
        answered = False
        while True:
            self._show(run)
            detail = self._get(f"/api/v1/runs/{run}")
            if detail["status"] == "waiting" and not answered and self._asks(detail):
                answered = True
                if self._audience.approval_is_asked(run):
                    give_up_at = time.monotonic() + PERSON_WITHIN_SECONDS
                else:
                    self._approve(run)
            if self._is_over(detail):
                self._show(run)
                return
            if time.monotonic() > give_up_at:
                raise DemoFailed(f"run {run} did not end in time: it is {detail['status']}")
            time.sleep(LOOK_EVERY_SECONDS)

    def _asks(self, detail: dict[str, Any]) -> bool:
        gates = [stage.get("gate") or {} for stage in detail["stages"] if stage["state"] == "gate"]
        return any(reason["rule"] == "approvals" for gate in gates for reason in gate.get("blocking", []))

    def _is_over(self, detail: dict[str, Any]) -> bool:
        if detail["status"] in ("running", "waiting"):
            return False
        return all(rollout["state"] in ("succeeded", "rolled_back") for rollout in detail["rollouts"])

    def _approve(self, run: str) -> None:
        answer = self._demo_user.post(f"/api/v1/runs/{run}/approve", json={"comment": "looks good"})
        if answer.is_error:
            raise DemoFailed(f"the approval was refused: {answer.text}")

    def _show(self, run: str) -> None:
        page = self._get(f"/api/v1/runs/{run}/events", after=self._seen)
        for event in page["items"] if isinstance(page, dict) else page:
            self._seen = max(self._seen, event["id"])
            self._audience.happened(event)
            if self._traffic is None and _serves_users(event):
                self._traffic = self._begin_traffic()

    def _describe(self, version: Version, commit: str, run: str) -> Played:
        detail = self._get(f"/api/v1/runs/{run}")
        gates = tuple(f"{stage['name']}: {stage['opened_by']}" for stage in detail["stages"] if stage["opened_by"])
        there = [one for one in detail["rollouts"] if one["placement"].endswith(f"/{ENVIRONMENT}")]
        rollout = there[-1] if there else None
        decided = rollout.get("decided_at") if rollout else None
        cause = (rollout.get("cause") or {}).get("text", "") if rollout else ""
        because = "; ".join(reason["text"] for reason in detail.get("because") or [])
        return Played(
            version=version,
            commit=commit,
            run=run,
            status=detail["status"],
            gates=gates,
            decided_at=datetime.fromisoformat(decided) if decided else None,
            deployment=rollout["new"] if rollout else None,
            why=cause or because,
        )

    def _begin_traffic(self) -> Traffic:
        status = self._get("/api/v1/status", service=self._service)[0]
        address = status["environments"][ENVIRONMENT]["address"]
        traffic = Traffic(address, self._paths(address), REQUESTS_PER_SECOND)
        traffic.start()
        return traffic

    def _paths(self, address: str) -> tuple[str, ...]:
        """The shop's products; of another service, its front page."""
        try:
            products = httpx.get(address, timeout=5).json()["products"]
            return tuple(f"/products/{one}" for one in products)
        except (ValueError, KeyError, TypeError, httpx.HTTPError):
            return ("/",)

    def _get(self, path: str, **query: Any) -> Any:
        answer = self._admin.get(path, params=query)
        if answer.is_error:
            raise DemoFailed(f"{path}: {answer.text}")
        return answer.json()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._admin.post(path, json=body)
        if answer.is_error:
            raise DemoFailed(f"{path}: {answer.text}")
        return answer.json()

    def _wait(self, look: Callable[[], str | None], seconds: float, what: str) -> str:
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            found = look()
            if found is not None:
                return found
            time.sleep(LOOK_EVERY_SECONDS)
        raise DemoFailed(f"{what} did not appear within {seconds:.0f} s")


def _serves_users(event: dict[str, Any]) -> bool:
    """Whether the first release has just begun to serve in production: from now on there are users."""
    return bool(event["kind"] == "rollout.shares" and event["about"].get("environment") == ENVIRONMENT)
