"""Gates: breaking the glass and the review that is owed for it, and who answers in whose place."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from pydantic import Field

from tidegate.api.answers import ActorAnswer, Answer
from tidegate.api.fields import Body, IdentifierPath, Name, RunPath, StageField, TextField
from tidegate.api.idempotency import ActRoute
from tidegate.api.parts import ApiParts
from tidegate.api.people import AccountField
from tidegate.api.routing import noun_router
from tidegate.api.security import Approver, Operator, Parts, Reader
from tidegate.engine.refusal import Refusal, Refused, not_found
from tidegate.model.break_glass import BreakGlass
from tidegate.model.delegation import Delegation
from tidegate.security.permission import PERMISSIONS, Permission
from tidegate.store import gate_queries, people_queries, queries, rows

router = noun_router("gates", route_class=ActRoute)


class BreakGlassRequest(Body):
    """Why a gate is opened at once; `stage` where it is not the one that keeps the run."""

    reason: TextField
    stage: StageField | None = None


class ReviewRequest(Body):
    """What somebody else found who looked at it."""

    comment: TextField


class DelegateRequest(Body):
    """Who may answer in one's place, for how long, and for which service (None: all)."""

    taker: AccountField
    days: Annotated[int, Field(ge=1, le=90)] = 7
    giver: AccountField | None = None
    service: Name | None = None


class BreakGlassAnswer(Answer):
    """An opening by break-glass; without `reviewed_at` its review is owed."""

    id: str
    run: str
    stage: str
    release: str
    actor: ActorAnswer
    reason: str
    at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    review: str


class DelegationAnswer(Answer):
    """That `taker` may answer in the place of `giver`."""

    id: str
    giver: str
    taker: str
    given_at: datetime
    until: datetime
    service: str | None
    revoked_at: datetime | None


@router.post("/runs/{run}/break-glass", status_code=201)
def break_glass(parts: Parts, who: Operator, run: RunPath, body: BreakGlassRequest) -> BreakGlassAnswer:
    """Open a gate of the run at once, whatever it says. It is recorded, and a review by somebody else is owed."""
    check = partial(parts.authority.check_stage, who, Permission.OPERATE)
    made = parts.glass.break_glass(run.lower(), body.reason, who.actor, stage=body.stage, check=check)
    return BreakGlassAnswer.model_validate(made)


@router.get("/break-glass")
def list_owed_reviews(parts: Parts, _: Reader) -> list[BreakGlassAnswer]:
    """The openings by break-glass that nobody has reviewed yet, oldest first."""
    with parts.engine.parts.database.reading() as connection:
        found = gate_queries.unreviewed_glass(connection)
    return [BreakGlassAnswer.model_validate(one) for one in found]


@router.post("/break-glass/{glass}/review")
def review_break_glass(parts: Parts, who: Approver, glass: IdentifierPath, body: ReviewRequest) -> BreakGlassAnswer:
    """Say what was found in looking at an opening by break-glass; nobody reviews their own."""
    with parts.engine.parts.database.reading() as connection:
        known = rows.find(connection, BreakGlass, id=glass.lower())
        run = queries.run(connection, known.run) if known else None
    if known is None or run is None:
        parts.authority.check(who, Permission.APPROVE)
        raise not_found("break-glass", glass, "tidegate review")
    parts.authority.check_stage(who, Permission.APPROVE, run, known.stage)
    return BreakGlassAnswer.model_validate(parts.glass.review(known.id, body.comment, who.actor))


@router.get("/delegations")
def list_delegations(parts: Parts, _: Reader) -> list[DelegationAnswer]:
    """Who may answer in whose place, oldest first."""
    now = parts.engine.parts.clock.now()
    with parts.engine.parts.database.reading() as connection:
        found = gate_queries.delegations(connection)
    return [DelegationAnswer.model_validate(one) for one in found if now < one.until]


@router.post("/delegations", status_code=201)
def delegate(parts: Parts, who: Approver, body: DelegateRequest) -> DelegationAnswer:
    """Let another account answer gates in one's place; an administrator does it for others."""
    giver = body.giver or who.account
    if giver is None:
        raise Refused(Refusal.INVALID, f"{who.actor.name} has no account to stand in for", "name one: --from ACCOUNT")
    if giver != who.account:
        parts.authority.check(who, Permission.ADMINISTER)
    _check_taker(parts, body.taker, body.service)
    span = timedelta(days=body.days)
    made = parts.authorship.delegate(giver, body.taker, span, body.service, who.actor)
    return DelegationAnswer.model_validate(made)


def _check_taker(parts: ApiParts, taker: str, service: str | None) -> None:
    """Raise Refused where the taker may answer no gate there: what they said in another's place would not count."""
    with parts.engine.parts.database.reading() as connection:
        known = people_queries.account(connection, taker)
        if known is None:
            raise not_found("account", taker, "tidegate user list")
        held = people_queries.roles_of(connection, known, None)
    if known.disabled_because is not None:
        raise Refused(Refusal.CONFLICT, f"the account {taker} is disabled", f"tidegate user enable {taker}")
    answers = (one for one in held if Permission.APPROVE in PERMISSIONS[one.role])
    if not any(service is None or one.service in (None, service) for one in answers):
        of, option = (f" of {service}", f" --service {service}") if service else ("", "")
        text = f"{taker} may answer no gate{of}, and without a role what is said in another's place does not count"
        raise Refused(Refusal.CONFLICT, text, f"first tidegate user grant {taker} approver{option}")


@router.delete("/delegations/{delegation}")
def end_delegation(parts: Parts, who: Approver, delegation: IdentifierPath) -> DelegationAnswer:
    """Let nobody answer in one's place any more; words that were given stay."""
    with parts.engine.parts.database.reading() as connection:
        known = rows.find(connection, Delegation, id=delegation.lower())
    if known is None:
        parts.authority.check(who, Permission.ADMINISTER)
        raise not_found("delegation", delegation, "tidegate delegate --list")
    if who.account not in (known.giver, known.taker):
        parts.authority.check(who, Permission.ADMINISTER)
    return DelegationAnswer.model_validate(parts.authorship.end_delegation(known.id, who.actor))
