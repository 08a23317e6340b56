"""Measuring: metrics of services' own are read from their sources while a rollout is judged, and kept with it.

It has threads of its own: a source that is slow or away keeps nothing waiting that looks at the router's figures.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from tidegate.engine.parts import Parts
from tidegate.metrics.question import FigureSource, Question
from tidegate.metrics.source import SourceFailed
from tidegate.model.actor import SYSTEM
from tidegate.model.batches import labelled
from tidegate.model.event import Event, EventKind
from tidegate.model.ids import DeploymentId, PlacementId, ServiceName, split_placement
from tidegate.model.metric import (
    BEFORE_FIRST_STEP,
    Counted,
    Figures,
    Measured,
    MetricReading,
    MetricRule,
    NoFigures,
    SourceName,
    Spread,
)
from tidegate.model.metric_windows import Window, of_requests, windows_to_read
from tidegate.model.rollout import Rollout, RolloutState
from tidegate.model.share import NONE
from tidegate.security.secret_box import WrongKey
from tidegate.store import events, metric_queries, queries, rows

log = logging.getLogger(__name__)

CHECK_OVER = timedelta(minutes=5)
"""The look at the old deployment before a rollout goes back at least this far."""

_NOT_CONFIGURED = "the server knows no Prometheus; metrics: {prometheus: {url: …}} in tidegate-server.yaml names it"

AT_ONCE = 4
"""Questions about one rollout: a command may take a second to begin, and a window a minute."""

NOBODY = DeploymentId("no-such-deployment")
"""A source that shows something of this one does not look at the deployment."""


def wants_reading(rollout: Rollout) -> bool:
    """Whether metrics of the rollout are to be read."""
    measured = bool(rollout.verify and rollout.verify.metrics and rollout.new)
    return measured and not rollout.state.is_ended and rollout.state is not RolloutState.RETURNING


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be read for a rollout now: its metrics' windows, and those that were never looked at."""

    rollout: Rollout
    windows: tuple[tuple[MetricRule, Window], ...]
    unchecked: tuple[MetricRule, ...]

    @property
    def columns(self) -> tuple[list[MetricRule], list[Window]]:
        """The metrics to be read, and of each the window."""
        return [rule for rule, _ in self.windows], [window for _, window in self.windows]


class Measuring:
    """Reads what is due of a placement's rollout, from each source in turn."""

    def __init__(self, parts: Parts, sources: Mapping[SourceName, FigureSource], at_once: int = AT_ONCE) -> None:
        """So many questions are asked `at_once`; with 1 one after the other, in the thread that looks."""
        self._parts = parts
        self._sources = sources
        self._at_once = at_once

    def look(self, subject: str) -> None:
        """Read what is due of `figures:PLACEMENT`; nothing changes where nothing is."""
        placement = PlacementId(subject.partition(":")[2])
        work = self._work(placement)
        if work is None:
            return
        asking = _Asking(self._parts, self._sources, work.rollout)
        with ThreadPoolExecutor(self._at_once, "tidegate-measuring") if self._at_once > 1 else nullcontext() as pool:
            each = pool.map if pool else map
            for reading in chain(each(asking.before, work.unchecked), each(asking.read, *work.columns)):
                self._keep(work.rollout, reading)

    def _work(self, placement: PlacementId) -> _Work | None:
        now = self._parts.clock.now()
        with self._parts.database.reading() as connection:
            found = queries.placement(connection, placement)
            rollout = queries.rollout(connection, found.rollout) if found else None
            if rollout is None or not wants_reading(rollout):
                return None
            assert rollout.verify is not None
            known = metric_queries.readings(connection, rollout.id)
            due = [rule for rule in rollout.verify.metrics if _may_be_due(rule, rollout, known, now)]
            # after a long watch these are many, and read for nothing at most looks
            taken = queries.snapshots(connection, rollout.id) if due else ()
        known_at = labelled(taken, rollout.loaded)
        windows = [
            (rule, window)
            for rule in due
            for window in windows_to_read(known_at, rule, _begun(known, rule), now, rollout.growing_steps)
        ]
        checked = {one.metric for one in known}
        unchecked = [one for one in rollout.verify.metrics if rollout.old and one.name not in checked]
        return _Work(rollout, tuple(windows), tuple(unchecked))

    def _keep(self, rollout: Rollout, reading: MetricReading) -> None:
        with self._parts.database.writing() as connection:
            rows.put(connection, reading)
            if reading.step == BEFORE_FIRST_STEP and reading.trouble:
                events.append(connection, [_said(rollout, reading)], self._parts.clock.now())


class _Asking:
    """What is asked for one rollout at one look. A source that failed once is not asked again in it."""

    def __init__(self, parts: Parts, sources: Mapping[SourceName, FigureSource], rollout: Rollout) -> None:
        self._parts = parts
        self._sources = sources
        self._rollout = rollout
        self._failed: dict[tuple[SourceName, str], str] = {}

    def read(self, rule: MetricRule, window: Window) -> MetricReading:
        """What a metric shows of both sides in a window."""
        rollout = self._rollout
        assert rollout.new is not None
        canary = self._side(rule, window, rollout.new)
        beside = rollout.old if rollout.old and rollout.plan[window.step].share.rest > NONE else None
        baseline = self._side(rule, window, beside) if beside else None
        return MetricReading(
            rollout=rollout.id,
            metric=rule.name,
            begin=window.begin,
            end=window.end,
            step=window.step,
            canary=_known(canary),
            baseline=_known(baseline),
            trouble=_trouble(canary, baseline),
        )

    def before(self, rule: MetricRule) -> MetricReading:
        """What a metric shows of the old deployment alone, and whether it is the deployment that it shows."""
        rollout = self._rollout
        assert rollout.old is not None
        end = self._parts.clock.now() - rule.delay
        begin = end - max(rule.window, CHECK_OVER)
        found = self._ask(rule, rollout.old, begin, end)
        trouble = ""
        if isinstance(found, NoFigures):
            trouble = f"no data of the old deployment before the rollout: {found.reason}"
        elif _says_something(found) and self._ask(rule, NOBODY, begin, end) == found:
            trouble = "it shows the same of a deployment that does not exist: it does not look at the deployment"
        return MetricReading(
            rollout=rollout.id,
            metric=rule.name,
            begin=begin,
            end=end,
            step=BEFORE_FIRST_STEP,
            baseline=_known(found),
            trouble=trouble,
        )

    def _side(self, rule: MetricRule, window: Window, deployment: DeploymentId) -> Figures | NoFigures:
        found = self._ask(rule, deployment, window.begin, window.end)
        return found if isinstance(found, NoFigures) else of_requests(found, window.requests(deployment))

    def _ask(self, rule: MetricRule, deployment: DeploymentId, begin: datetime, end: datetime) -> Figures | NoFigures:
        """What the source says; that it failed is no data, too."""
        of = rule.name if rule.source is SourceName.COMMAND else ""
        failed = self._failed.get((rule.source, of))
        if failed:
            return NoFigures(failed)
        source = self._sources.get(rule.source)
        try:
            if source is None:
                raise SourceFailed(_NOT_CONFIGURED)
            service, environment = split_placement(self._rollout.placement)
            secrets = self._secrets(service, rule)
            return source.read(Question(rule, service, environment, deployment, begin, end, secrets))
        except SourceFailed as error:
            log.warning("%s of %s: %s", rule.name, self._rollout.placement, error)
            # a refused query says nothing of others; who does not answer once keeps nobody waiting again
            if error.is_away:
                self._failed[rule.source, of] = str(error)
            return NoFigures(str(error))

    def _secrets(self, service: ServiceName, rule: MetricRule) -> dict[str, str]:
        """The secrets that a command gets. Raises SourceFailed."""
        opened: dict[str, str] = {}
        with self._parts.database.reading() as connection:
            sealed = {name: queries.secret(connection, service, name) for name in rule.secrets}
        for name, value in sealed.items():
            if value is None:
                raise SourceFailed(f"the secret {name} is not set; tidegate secret set {service} {name}")
            try:
                opened[name] = self._parts.secrets.open(value)
            except WrongKey as error:
                raise SourceFailed(str(error)) from error
        return opened


def _may_be_due(rule: MetricRule, rollout: Rollout, readings: Sequence[MetricReading], now: datetime) -> bool:
    """Whether a window of the metric can be over; none is of one that shows something else."""
    of_it = [one for one in readings if one.metric == rule.name]
    if any(one.is_of_something_else for one in of_it):
        return False
    read_until = max((one.end for one in of_it if one.step != BEFORE_FIRST_STEP), default=rollout.began_at)
    return read_until + rule.window + rule.delay <= now


def _begun(readings: Sequence[MetricReading], rule: MetricRule) -> frozenset[datetime]:
    return frozenset(one.begin for one in readings if one.metric == rule.name and one.step != BEFORE_FIRST_STEP)


def _known(found: Figures | NoFigures | None) -> Figures | None:
    return None if isinstance(found, NoFigures) else found


def _says_something(figures: Figures | NoFigures) -> bool:
    """Whether the figures could not be those of a deployment that nobody has: an honest zero could."""
    match figures:
        case Counted(x=x, n=n):
            return bool(x or n)
        case Measured(values=values):
            return any(values)
        case Spread(counts=counts):
            return any(counts)
        case _:
            return False


def _trouble(canary: Figures | NoFigures, baseline: Figures | NoFigures | None) -> str:
    """What is missing, in words: once, where both sides lack it for the same reason."""
    of_new = canary.reason if isinstance(canary, NoFigures) else None
    of_old = baseline.reason if isinstance(baseline, NoFigures) else None
    if of_new and of_new == of_old:
        return f"no data of both deployments: {of_new}"
    sides = (("new", of_new), ("old", of_old))
    return "; ".join(f"no data of the {side} deployment: {reason}" for side, reason in sides if reason)


def _said(rollout: Rollout, reading: MetricReading) -> Event:
    service, environment = split_placement(rollout.placement)
    about = {"service": str(service), "environment": str(environment), "rollout": str(rollout.id)}
    if rollout.run:
        about["run"] = rollout.run
    text = f"{reading.metric}: {reading.trouble}; it can neither pass nor fail {environment}"
    return Event(EventKind.METRIC_MISSING, text, about, SYSTEM, {"metric": reading.metric, "trouble": reading.trouble})
