"""Rolls bad and good versions out through a real Envoy under real requests, and prints what became of them. Asserts
nothing.

.venv/bin/python tests/bench/rollouts_through_envoy.py [--bad N] [--good N] [--services N] [--rate N] [--seed N]

One server, with some services beside each other; each has a user who sends requests at a steady rate, and rolls its
versions out one after another, by a canary of 20% and 50% that is judged by default settings, but for batches of two
seconds. Bad versions are of five kinds: 5% of requests fail; twice as slow; the instances end after a few seconds;
never healthy; a leak, of which each minute 10% more requests fail. During a third of the good ones something common
happens: a fifth of all requests fail for a while, whichever version answers.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.acceptance.harness import Version, World, a_world

from tidegate.demo.traffic import Answered, Traffic

GOOD: dict[str, Any] = {"median": 0.01}
BAD: dict[str, dict[str, Any]] = {
    "5% fail": {**GOOD, "fails": 0.05},
    "twice as slow": {"median": 0.02},
    "ends again and again": {**GOOD, "dies_after": 4.0},
    "never healthy": {**GOOD, "never_healthy": True},
    "leaks": {**GOOD, "leaks_a_minute": 0.1},
}
DEPLOY = "{strategy: canary, shares: [20%, 50%], keep_warm: 1m}"
VERIFY = "{at_most: 15m, watch: 10s}"
CONFIGURATION = "batch: 2s\npoll_interval: 1s\n"
ENDS_WITHIN_SECONDS = 1000.0
INCIDENT_SECONDS = 15.0
LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Planned:
    """A version to be rolled out; `kind` is what is wrong with it."""

    kind: str
    behaviour: dict[str, Any]
    bad: bool
    incident_after: float | None = None


@dataclass(frozen=True)
class Came:
    """What became of it. Times are in seconds: from the first request that it answered to the decision to go back
    (from the rollout's beginning, where it answered none), from there to the last request that it was sent, and in all.
    """

    planned: Planned
    status: str
    harmed: int
    decided_after: float | None
    routed_after: float | None
    took: float
    why: str = ""


class Shop:
    """One service with its user and its versions."""

    def __init__(self, world: World, name: str, rate: float) -> None:
        self._world = World(world.folder, name, configuration=CONFIGURATION)
        self._world.address = world.address
        self._rate = rate
        self._count = 0
        self._incident = world.folder / f"{name}.incident"

    def play(self, versions: Sequence[Planned], came: list[Came]) -> None:
        """Roll them out one after another."""
        first = replace(self._version(GOOD), deploy="{strategy: blue-green}", verify="")
        commit = self._world.commit(first)
        self._world.add()
        self._ends(self._world.run_of(commit))
        traffic = Traffic(self._world.url(), ("/",), self._rate)
        traffic.start()
        try:
            for planned in versions:
                came.append(self._roll_out(planned, traffic))
                print(f"{len(came):3} {self._world.service}: {_told(came[-1])}", flush=True)
        finally:
            traffic.stop()

    def _version(self, behaviour: dict[str, Any]) -> Version:
        self._count += 1
        told = {**behaviour, "incident": str(self._incident)}
        return Version(f"{self._world.service} {self._count}", told, deploy=DEPLOY, verify=VERIFY)

    def _roll_out(self, planned: Planned, traffic: Traffic) -> Came:
        began = time.monotonic()
        run = self._world.run_of(self._world.commit(self._version(planned.behaviour)))
        timer = None
        if planned.incident_after is not None:
            timer = threading.Timer(planned.incident_after, self._something_happens)
            timer.start()
        status = self._ends(run)
        if timer:
            timer.join()
        (rollout,) = self._world.api("GET", f"/api/v1/runs/{run}")["rollouts"]
        answered = [one for one in traffic.answers() if one.deployment == rollout["new"]]
        why = str(rollout["cause"]["text"]) if rollout["cause"] else ""
        return _came(planned, status, rollout, answered, time.monotonic() - began, why)

    def _something_happens(self) -> None:
        self._incident.touch()
        time.sleep(INCIDENT_SECONDS)
        self._incident.unlink()

    def _ends(self, run: str) -> str:
        """How the run ended, and the watch after it; what still waits then is taken back, and counts as undecided."""

        if not self._is_over(run):
            self._world.run("cancel", run)
            return "undecided" if self._is_over(run) else "stuck"
        return str(self._world.api("GET", f"/api/v1/runs/{run}")["status"])

    def _is_over(self, run: str) -> bool:
        """Whether it came to its end in time."""
        give_up_at = time.monotonic() + ENDS_WITHIN_SECONDS
        while time.monotonic() < give_up_at:
            found = self._world.api("GET", f"/api/v1/runs/{run}")
            if found["status"] not in ("running", "waiting") and all(one["ended_at"] for one in found["rollouts"]):
                return True
            time.sleep(LOOK_EVERY_SECONDS)
        return False


def _came(
    planned: Planned, status: str, rollout: dict[str, Any], answered: list[Answered], took: float, why: str
) -> Came:
    decided = datetime.fromisoformat(rollout["decided_at"]) if rollout["decided_at"] else None
    first = min((one.sent_at for one in answered), default=datetime.fromisoformat(rollout["began_at"]))
    slow = planned.kind == "twice as slow"
    return Came(
        planned=planned,
        status=status,
        harmed=sum(one.failed or slow for one in answered) if planned.bad else 0,
        decided_after=(decided - first).total_seconds() if decided else None,
        routed_after=max(((one.sent_at - decided).total_seconds() for one in answered), default=0.0)
        if decided
        else None,
        took=took,
        why=why,
    )


def _told(one: Came) -> str:
    times = f", decided after {one.decided_after:.1f} s" if one.decided_after is not None else ""
    return f"{one.planned.kind}: {one.status} after {one.took:.1f} s{times} {one.why}"


def plan(bad: int, good: int, seed: int) -> list[Planned]:
    """All versions, in an order that the seed says."""
    chance = random.Random(seed)
    kinds = list(BAD.items())
    versions = [Planned(*kinds[number % len(kinds)], bad=True) for number in range(bad)]
    for number in range(good):
        common = number % 3 == 0
        kind = "good, amid a common incident" if common else "good"
        versions.append(Planned(kind, GOOD, False, chance.uniform(5.0, 20.0) if common else None))
    chance.shuffle(versions)
    return versions


def summary(came: Sequence[Came]) -> Iterator[str]:
    """What is told at the end, kind by kind."""
    for kind in (*BAD, "good", "good, amid a common incident"):
        of_kind = [one for one in came if one.planned.kind == kind]
        if not of_kind:
            continue
        if of_kind[0].planned.bad:
            back = [one for one in of_kind if one.status == "rolled_back" and one.decided_after is not None]
            decided = sorted(one.decided_after or 0.0 for one in back)
            routed = max((one.routed_after or 0.0 for one in back), default=0.0)
            harmed = median(one.harmed for one in of_kind)
            span = f"median {median(decided):.1f} s, at most {decided[-1]:.1f} s" if decided else "never"
            yield (
                f"{kind}: {len(back)} of {len(of_kind)} rolled back; from harm to decision {span}; "
                f"{harmed:.0f} requests harmed (median); "
                f"the last one was sent to it at most {1000 * routed:.0f} ms after the decision"
            )
        else:
            out = [one for one in of_kind if one.status == "succeeded"]
            took = f"{median(one.took for one in out):.1f} s" if out else "never"
            others = ", ".join(f"{one.status} ({one.why})" for one in of_kind if one.status != "succeeded")
            yield f"{kind}: {len(out)} of {len(of_kind)} promoted, median after {took}" + (
                f"; {others}" if others else ""
            )


def main() -> None:
    """Play, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bad", type=int, default=30)
    parser.add_argument("--good", type=int, default=60)
    parser.add_argument("--services", type=int, default=4)
    parser.add_argument("--rate", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    versions = plan(asked.bad, asked.good, asked.seed)
    came: list[Came] = []
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-envoy-") as folder,
        a_world(Path(folder), configuration=CONFIGURATION) as world,
    ):
        shops = [Shop(world, f"shop{number + 1}", asked.rate) for number in range(asked.services)]
        threads = [
            threading.Thread(target=shop.play, args=(versions[number :: asked.services], came))
            for number, shop in enumerate(shops)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print("\n".join(summary(came)))


if __name__ == "__main__":
    main()
