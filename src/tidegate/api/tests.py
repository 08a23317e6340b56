"""Tests: those that are flaky or in quarantine, and what people do to them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, StringConstraints

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.api.fields import Body, Name, ServiceQuery, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Developer, Parts, Reader
from tidegate.engine.refusal import not_found
from tidegate.model.known_test import KnownTest
from tidegate.model.quarantine import TestQuarantine
from tidegate.security.permission import Permission
from tidegate.store import outcome_queries, queries

router = noun_router("tests", prefix="/tests", route_class=ActRoute)

_LINE = r"^[^\x00-\x1f\x7f]+$"
TestField = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=_LINE, strip_whitespace=True)]
OwnerField = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_LINE, strip_whitespace=True)]


class QuarantineRequest(Body):
    """Which test counts for nothing until then, and who sees to its repair; at most 90 days ahead."""

    service: Name
    test: TestField
    owner: OwnerField
    until: AwareDatetime
    reason: TextField = ""


class ReleaseRequest(Body):
    """Which test counts again."""

    service: Name
    test: TestField


class QuarantineAnswer(Answer):
    """A test whose failing counts for nothing while `holds`, which is until `until`."""

    service: str
    test: str
    owner: str
    until: datetime
    reason: str
    by: ActorAnswer
    at: datetime
    holds: bool


class KnownTestAnswer(Answer):
    """A test of a step that is flaky, or in quarantine: it failed in `failed` of `total` attempts of the last 30 days,
    as far as they are remembered, first and last at those times, and last in `last_run`."""

    service: str
    scope: str | None
    step: str | None
    test: str
    flaky: bool
    failed: int
    total: int
    first_failed_at: datetime | None
    last_failed_at: datetime | None
    last_run: str | None
    quarantine: QuarantineAnswer | None


@router.get("/flaky")
def list_flaky(parts: Parts, _: Reader, service: ServiceQuery = None) -> list[KnownTestAnswer]:
    """The tests that are flaky, and those in quarantine, by service, step and name."""
    engine = parts.engine.parts
    with engine.database.reading() as connection:
        if service and queries.service(connection, service) is None:
            raise not_found("service", service, "tidegate service list")
        found = outcome_queries.known_tests(connection, service)
    return [_known(one, engine.clock.now()) for one in found]


@router.post("/quarantine")
def quarantine_test(parts: Parts, who: Developer, body: QuarantineRequest) -> QuarantineAnswer:
    """Let a test's failing count for nothing until then; in place of a quarantine that it has already."""
    parts.authority.check(who, Permission.DEVELOP, body.service)
    made = parts.quarantines.quarantine(body.service, body.test, body.owner, body.until, body.reason, who.actor)
    return _quarantine(made, parts.engine.parts.clock.now())


@router.post("/release")
def release_test(parts: Parts, who: Developer, body: ReleaseRequest) -> QuarantineAnswer:
    """Let a test in quarantine count again; what the quarantine was."""
    parts.authority.check(who, Permission.DEVELOP, body.service)
    return _quarantine(parts.quarantines.release(body.service, body.test, who.actor), parts.engine.parts.clock.now())


def _quarantine(one: TestQuarantine, now: datetime) -> QuarantineAnswer:
    own = {name: getattr(one, name) for name in QuarantineAnswer.model_fields if name != "holds"}
    return QuarantineAnswer.model_validate({**own, "holds": one.holds(now)})


def _known(one: KnownTest, now: datetime) -> KnownTestAnswer:
    history = one.history
    return KnownTestAnswer(
        service=one.service,
        scope=history.id.scope if history else None,
        step=history.id.step if history else None,
        test=one.test,
        flaky=history is not None and history.is_flaky,
        failed=history.failed if history else 0,
        total=history.total if history else 0,
        first_failed_at=history.first_failed_at if history else None,
        last_failed_at=history.last_failed_at if history else None,
        last_run=history.last_run if history else None,
        quarantine=_quarantine(one.quarantine, now) if one.quarantine else None,
    )
