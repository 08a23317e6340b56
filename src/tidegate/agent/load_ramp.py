"""The ramp of a load check, as Locust runs it: an open loop, whose requests go out when they are due and not when
earlier ones were answered. It is given to `locust -f`, and imports nothing of Tidegate's.

TIDEGATE_LOAD_PLAN says what is sent; the file TIDEGATE_LOAD_REPORT says then what each step came to.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool
from locust import FastHttpUser

MOST_UNDER_WAY = 1000
"""Of more requests than this at a time the rest is not sent, and has failed: nobody waits in so long a queue."""

LIMIT_SECONDS = 10.0
"""A request that is not answered in this time has failed."""


@dataclass
class Step:
    """What becomes of the requests of one rate."""

    rate: float
    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    def figures(self) -> dict[str, float | None]:
        """The step as Tidegate reads it."""
        return {
            "rate": self.rate,
            "sent": len(self.due),
            "failed": self.failed,
            "sent_rate": _rate(self.sent, self.rate),
            "answered_rate": _rate(self.answered, self.rate) if self.answered else 0.0,
            "p50": _quantile(self.latencies, 0.5),
            "p95": _quantile(self.latencies, 0.95),
            "p99": _quantile(self.latencies, 0.99),
        }


def _rate(moments: list[float], expected: float) -> float:
    """So many a second, from the middle nine tenths: one late answer does not make the others late."""
    ordered = sorted(moments)
    first, last = len(ordered) // 20, len(ordered) - 1 - len(ordered) // 20
    if last <= first or ordered[last] <= ordered[first]:
        return expected if ordered else 0.0
    return (last - first) / (ordered[last] - ordered[first])


def _quantile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _ramp(user: Any) -> None:
    plan = json.loads(os.environ["TIDEGATE_LOAD_PLAN"])
    pool = Pool(MOST_UNDER_WAY)
    steps = [Step(rate) for rate in plan["rates"]]
    began = time.time()
    _warm_up(user)
    at = time.perf_counter()
    for number, step in enumerate(steps, 1):
        count = max(1, round(step.rate * plan["seconds"]))
        for index in range(count):
            due = at + index / step.rate
            wait = due - time.perf_counter()
            # yields in any case, or answers would not be read where sending is late
            gevent.sleep(max(0.0, wait))
            step.due.append(due)
            step.sent.append(time.perf_counter())
            if pool.full():
                step.failed += 1
            else:
                pool.spawn(_send, user, step, due)
        at += count / step.rate
        print(f"{number} of {len(steps)}: {count} requests at {step.rate:.3g}/s are sent", flush=True)
    pool.join(timeout=LIMIT_SECONDS)
    figures = [step.figures() for step in steps]
    with open(os.environ["TIDEGATE_LOAD_REPORT"], "w") as file:
        json.dump({"began": began, "ended": time.time(), "steps": figures}, file)
    for one in figures:
        p99 = "no answer" if one["p99"] is None else f"p99 {one['p99']:.1f} ms"
        print(f"{one['rate']:.3g}/s: {one['answered_rate']:.3g}/s answered, {one['failed']} failed, {p99}", flush=True)
    user.environment.runner.quit()


def _warm_up(user: Any) -> None:
    """The first request opens a connection, and imports what the tool needs; it is in no step."""
    with user.client.get(_path(), allow_redirects=False, catch_response=True) as response:
        response.success()


def _send(user: Any, step: Step, due: float) -> None:
    with user.client.get(_path(), allow_redirects=False, catch_response=True) as response:
        done = time.perf_counter()
        if not 200 <= (response.status_code or 0) < 400:
            step.failed += 1
        if response.status_code:
            step.answered.append(done)
            step.latencies.append((done - due) * 1000)


def _path() -> str:
    parts = urlsplit(json.loads(os.environ["TIDEGATE_LOAD_PLAN"])["url"])
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class Ramp(FastHttpUser):  # type: ignore[misc]
    """The one user, which sends all of it."""

    fixed_count = 1
    concurrency = MOST_UNDER_WAY
    connection_timeout = LIMIT_SECONDS
    network_timeout = LIMIT_SECONDS
    max_retries = 0
    tasks = [_ramp]  # noqa: RUF012 - so Locust wants it
