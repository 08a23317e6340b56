"""What is asked about the tests of steps: how they ended, and which are in quarantine."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, tuple_, update

from tidegate.model.flaky import TestId, TestOutcome
from tidegate.model.ids import ServiceName, StepName
from tidegate.model.known_test import KnownTest, known_of
from tidegate.model.lease import TestReport
from tidegate.model.quarantine import TestQuarantine
from tidegate.model.step_run import StepRun, StepState
from tidegate.store import rows, tables

_c, _q = tables.test_outcome.c, tables.test_quarantine.c
_SETTLED = (StepState.SUCCEEDED, StepState.FAILED, StepState.TIMED_OUT)

LOOKED_BACK = 20
"""Among the results of so many runs one with a report is looked for."""


def known_tests(
    connection: Connection, service: str | None = None, named: Collection[str] | None = None
) -> tuple[KnownTest, ...]:
    """The tests, of a service or of all, that are flaky or in quarantine, with all that is remembered of them.

    With `named`, only those of these names.
    """
    if named is not None and not named:
        return ()
    own = [] if service is None else [_c.service == service]
    own += [] if named is None else [_c.test.in_(named)]
    test = (_c.service, _c.scope, _c.step, _c.test)
    # a content on which it failed and passed
    differing = select(*test).where(*own).group_by(*test, _c.content).having(func.count(_c.failed.distinct()) > 1)
    held = select(_q.service, _q.test)
    wanted = or_(tuple_(*test).in_(differing), tuple_(_c.service, _c.test).in_(held))
    held_here = (one for one in quarantines(connection, service) if named is None or one.test in named)
    return known_of(rows.every(connection, TestOutcome, *own, wanted), held_here)


def outcomes_of_tests(connection: Connection, tests: Collection[TestId]) -> tuple[TestOutcome, ...]:
    """What is remembered of these tests of one step."""
    if not tests:
        return ()
    one = next(iter(tests))
    same_step = _of_step(one.service, one.scope, one.step)
    return rows.every(connection, TestOutcome, *same_step, _c.test.in_([test.test for test in tests]))


def tests_that_failed(
    connection: Connection, service: ServiceName, scope: str, step: StepName, limit: int
) -> tuple[str, ...]:
    """The tests of a step that have failed, those that did last first."""
    query = (
        select(_c.test)
        .where(*_of_step(service, scope, step), _c.failed.is_(True))
        .group_by(_c.test)
        .order_by(func.max(_c.at).desc(), _c.test)
        .limit(limit)
    )
    return tuple(connection.execute(query).scalars())


def last_tests(connection: Connection, service: ServiceName, step: StepRun) -> TestReport | None:
    """What the last settled result of the same step of a service said of its tests, in whichever other run."""
    c, run = tables.step_run.c, tables.run.c
    query = (
        select(c.report)
        .join(tables.run, run.id == c.run)
        .where(run.service == service, c.scope == step.scope, c.name == step.name)
        .where(c.state.in_(_SETTLED), c.report.is_not(None), c.run != step.run)
        .order_by(run.id.desc())
        .limit(LOOKED_BACK)
    )
    return next((report.tests for report in connection.execute(query).scalars() if report.tests), None)


def forget_before(connection: Connection, moment: datetime) -> None:
    """Forget how tests ended before then."""
    connection.execute(delete(tables.test_outcome).where(_c.at < moment))


def forget_beyond(connection: Connection, most: int) -> None:
    """Forget the oldest outcomes of steps of which more than `most` are remembered."""
    crowded = select(_c.service, _c.scope, _c.step).group_by(_c.service, _c.scope, _c.step).having(func.count() > most)
    for row in connection.execute(crowded).all():
        of_step = _of_step(row.service, row.scope, row.step)
        newest = select(_c.at).where(*of_step).order_by(_c.at.desc()).offset(most).limit(1)
        first_gone = connection.execute(newest).scalar_one()
        connection.execute(delete(tables.test_outcome).where(*of_step, _c.at <= first_gone))


def quarantine(connection: Connection, service: str, test: str) -> TestQuarantine | None:
    """The quarantine of a test, also an expired one."""
    return rows.find(connection, TestQuarantine, service=service, test=test)


def quarantines(connection: Connection, service: str | None = None) -> tuple[TestQuarantine, ...]:
    """All of a service or of all services, with those that have expired and nobody has lifted."""
    where = () if service is None else (_q.service == service,)
    return rows.every(connection, TestQuarantine, *where)


def newly_expired(connection: Connection, now: datetime) -> tuple[TestQuarantine, ...]:
    """Those that have expired and of which the record does not say so."""
    return rows.every(connection, TestQuarantine, _q.until <= now, _q.expiry_told.is_(False))


def note_expiry_told(connection: Connection, one: TestQuarantine) -> None:
    """The record says that it has expired."""
    same = (_q.service == one.service, _q.test == one.test)
    connection.execute(update(tables.test_quarantine).where(*same).values(expiry_told=True))


def forget_expired(connection: Connection, before: datetime) -> None:
    """Forget quarantines that expired before then."""
    connection.execute(delete(tables.test_quarantine).where(_q.until < before))


def _of_step(service: str, scope: str, step: str) -> tuple[ColumnElement[bool], ...]:
    return _c.service == service, _c.scope == scope, _c.step == step
