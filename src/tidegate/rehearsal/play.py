"""Playing a rehearsal: a good release is deployed, then one a fault goes the same way, under users' requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tidegate.demo.traffic import Answered, Traffic
from tidegate.model.rehearsal import End, Fault, FaultOutcome
from tidegate.rehearsal.injection import Finding, Injection, Sight, injection
from tidegate.rehearsal.repository import RehearsedRepository
from tidegate.rehearsal.server import RehearsalFailed, RehearsalServer

RUN_WITHIN_SECONDS = 60.0
KNOWN_WITHIN_SECONDS = 60.0
"""After its end a placement may take so long until it is seen to be whole."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rehearsed: the service's own file and where its users are; `per_second` requests are sent to `paths`.

    A release that is not over after `at_most_seconds` is taken back by hand.
    """

    service: str
    environment: str
    own_file: str
    quick: float
    per_second: float
    paths: tuple[str, ...]
    at_most_seconds: float


@dataclass(frozen=True, slots=True)
class _Passage:
    """A release with a fault that went through the pipeline, while `good` served."""

    fault: Fault
    began: datetime
    good: str
    sight: Sight
    put_in: Injection
    finding: Finding | None

    @property
    def rollout(self) -> dict[str, Any]:
        return self.sight.rollout or {}

    @property
    def has_users_since(self) -> datetime:
        return datetime.fromisoformat(self.rollout["began_at"]) if self.rollout else self.began


class Rehearser:
    """Plays on a server that knows nothing yet. `say` is told what happens."""

    def __init__(
        self, server: RehearsalServer, repository: RehearsedRepository, plan: Plan, say: Callable[[str], None]
    ) -> None:
        self._server = server
        self._repository = repository
        self._plan = plan
        self._say = say
        self._traffic: Traffic | None = None

    def begin(self, secrets: dict[str, str]) -> None:
        """Deploy the release without a fault. Raises RehearsalFailed where even that does not come through."""
        plan = self._plan
        commit, file = self._repository.commit(plan.own_file, None, plan.environment, plan.quick)
        for left_out in file.left_out:
            self._say(f"left out: {left_out}")
        for name, value in secrets.items():
            self._server.send("PUT", f"/api/v1/services/{plan.service}/secrets/{name}", {"value": value})
        body = {"repository": str(self._repository.folder), "path": self._repository.path}
        self._server.send("POST", "/api/v1/services", body)
        began = time.monotonic()
        sight = self._follow(self._run_of(commit), lambda _: None)
        if not (sight.rollout and sight.rollout["state"] in ("watching", "succeeded")):
            because = "; ".join(reason["text"] for reason in sight.run["because"])
            holds = sight.rollout["holds_because"] if sight.rollout else None
            raise RehearsalFailed(f"the release does not come through without any fault: {holds or because}")
        self._say(f"the release without a fault serves, after {time.monotonic() - began:.0f} s")

    def stop(self) -> None:
        """End the traffic."""
        if self._traffic:
            self._traffic.stop()

    def rehearse(self, fault: Fault) -> FaultOutcome:
        """Send a release with the fault the same way."""
        plan, began = self._plan, datetime.now(UTC)
        good = self._placement()["commit"]
        commit, _ = self._repository.commit(plan.own_file, fault, plan.environment, plan.quick)
        put_in = injection(fault, self._server)
        found: list[Finding] = []

        def look(sight: Sight) -> None:
            put_in.look(sight)
            finding = None if found else put_in.finding(sight)
            if finding:
                found.append(finding)
                self._say(f"{fault.value}: found: {finding.why}")

        sight = self._follow(self._run_of(commit), look)
        look(sight)
        return self._outcome(
            _Passage(fault, began, good, sight, put_in, found[0] if found else None), self._end(good, commit)
        )

    def _outcome(self, passage: _Passage, end: End) -> FaultOutcome:
        since = passage.has_users_since
        answers = [one for one in (self._traffic.answers() if self._traffic else ()) if one.sent_at >= since]
        serving = self._deployment_of(passage.good)
        harmed = [one.sent_at for one in answers if _is_harmed(one, serving)]
        finding, fault = passage.finding, passage.fault
        put_in_at = passage.put_in.put_in_at or since
        start = min(harmed, default=put_in_at) if fault.is_bad_version else put_in_at
        return FaultOutcome(
            fault=fault,
            found=finding is not None,
            why=_why(passage),
            seconds=max(0.0, (finding.at - start).total_seconds()) if finding else None,
            requests=len(answers),
            harmed=len(harmed),
            end=end,
            rollback_seconds=passage.rollout.get("seconds"),
            took_seconds=(datetime.now(UTC) - passage.began).total_seconds(),
        )

    def _follow(self, run: str, look: Callable[[Sight], None]) -> Sight:
        """Show the release to `look` until it is over; one that does not end in time is taken back by hand."""
        give_up_at = time.monotonic() + self._plan.at_most_seconds
        cancelled = False
        while True:
            sight = self._see(run)
            look(sight)
            self._begin_traffic()
            if _is_over(sight):
                return sight
            if time.monotonic() > give_up_at:
                if cancelled:
                    raise RehearsalFailed(f"run {run} did not end, not even when it was cancelled")
                self._say("it takes too long: it is taken back by hand")
                self._server.send("POST", f"/api/v1/runs/{run}/cancel", {})
                cancelled, give_up_at = True, time.monotonic() + KNOWN_WITHIN_SECONDS
            time.sleep(0.2)

    def _see(self, run: str) -> Sight:
        detail = self._server.get(f"/api/v1/runs/{run}")
        there = [
            one for one in detail["rollouts"] if one["placement"] == f"{self._plan.service}/{self._plan.environment}"
        ]
        return Sight(detail, there[-1] if there else None)

    def _run_of(self, commit: str) -> str:
        def look() -> str | None:
            items = self._server.get("/api/v1/runs", service=self._plan.service)["items"]
            return next((str(one["id"]) for one in items if one["commit"] == commit), None)

        found = self._server.wait(look, RUN_WITHIN_SECONDS)
        if found is None:
            raise RehearsalFailed(f"the rehearsal's server did not notice the commit {commit[:8]}")
        return found

    def _begin_traffic(self) -> None:
        """There are users as soon as something serves where they are."""
        if self._traffic is None and (there := self._placement()) and there.get("shares"):
            self._traffic = Traffic(there["address"], self._plan.paths, self._plan.per_second)
            self._traffic.start()

    def _placement(self) -> dict[str, Any]:
        status = self._server.get("/api/v1/status", service=self._plan.service)
        return dict(status[0]["environments"].get(self._plan.environment) or {}) if status else {}

    def _deployment_of(self, commit: str) -> str | None:
        found = self._placement().get("deployments", [])
        return next((one["id"] for one in found if one["commit"] == commit), None)

    def _end(self, good: str, new: str) -> End:
        """What serves, as soon as it is whole."""
        ends = {good: End.BEFORE, new: End.NEW}

        def look() -> End | None:
            there = self._placement()
            whole = there["health"] == "healthy" and [*there["shares"].values()] == [1.0]
            return ends.get(there["commit"]) if whole else None

        return self._server.wait(look, KNOWN_WITHIN_SECONDS) or End.UNKNOWN


def _is_over(sight: Sight) -> bool:
    if sight.run["status"] in ("running", "waiting"):
        return False
    return all(one["state"] in ("watching", "succeeded", "rolled_back") for one in sight.run["rollouts"])


def _is_harmed(one: Answered, serving: str | None) -> bool:
    """Failures of the good deployment's own are not counted: nobody put them in."""
    return one.harmed or (one.failed and (one.deployment is None or one.deployment != serving))


def _why(passage: _Passage) -> str:
    """What found it, or what happened instead; and why a healthy version did not come through."""
    finding, state = passage.finding, passage.rollout.get("state")
    if finding and (passage.fault.is_bad_version or state in ("watching", "succeeded")):
        return finding.why
    because = "; ".join(reason["text"] for reason in passage.sight.run["because"])
    if finding:
        return f"{finding.why}; but the healthy version was not promoted: {because}"
    if held := passage.rollout.get("holds_because"):
        return f"nothing decided; it held: {held}"
    return "it was promoted" if state in ("watching", "succeeded") else because or passage.sight.run["status"]
