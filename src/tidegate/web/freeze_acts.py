"""Forms that freeze and thaw, on the first page and on a service's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path
from fastapi.responses import RedirectResponse

from tidegate.config.time_values import did_you_mean_zone, typed_moment, zones
from tidegate.engine.freezes import WantedFreeze
from tidegate.engine.refusal import Refusal, Refused
from tidegate.security.permission import Permission
from tidegate.security.sign_in import Session
from tidegate.web.acts import LabelForm, NameForm, see
from tidegate.web.guard import Parts, Sent
from tidegate.web.parts import PageParts

router = APIRouter(include_in_schema=False)

ServicePath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
ServiceForm = Annotated[str, Form(pattern=r"^[a-z0-9-]{0,40}$")]
ReasonForm = Annotated[str, Form(pattern=r"^[^\x00-\x1f\x7f]{0,200}$")]
MomentForm = Annotated[str, Form(pattern=r"^[^\x00-\x1f\x7f]{0,40}$")]
ZoneForm = Annotated[str, Form(pattern=r"^[A-Za-z0-9_+/-]{0,64}$")]


@router.post("/freezes/begin")
def freeze(
    parts: Parts,
    session: Sent,
    environment: NameForm,
    service: ServiceForm = "",
    reason: ReasonForm = "",
    until: MomentForm = "",
    since: MomentForm = "",
    timezone: ZoneForm = "",
) -> RedirectResponse:
    """Let nothing new enter an environment for a time; of all services, or of one."""
    _freeze(parts, session, _Asked(environment, service or None, reason, since, until, timezone))
    return see(parts, "/")


@router.post("/freezes/thaw")
def thaw(parts: Parts, session: Sent, freeze: LabelForm) -> RedirectResponse:
    """End a freeze now, or take back one that is planned."""
    _thaw(parts, session, freeze)
    return see(parts, "/")


@router.post("/services/{name}/freeze")
def freeze_service(
    parts: Parts,
    session: Sent,
    name: ServicePath,
    environment: NameForm,
    reason: ReasonForm = "",
    until: MomentForm = "",
    since: MomentForm = "",
    timezone: ZoneForm = "",
) -> RedirectResponse:
    """Let nothing new of the service enter an environment for a time."""
    _freeze(parts, session, _Asked(environment, name, reason, since, until, timezone))
    return see(parts, f"/services/{name}")


@router.post("/services/{name}/thaw")
def thaw_service(parts: Parts, session: Sent, name: ServicePath, freeze: LabelForm) -> RedirectResponse:
    """End a freeze that concerns the service; one of the whole environment ends for all."""
    _thaw(parts, session, freeze)
    return see(parts, f"/services/{name}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a form says, as it was typed."""

    environment: str
    service: str | None
    reason: str
    since: str
    until: str
    timezone: str

    def wanted(self, now: datetime) -> WantedFreeze:
        """The freeze that it means. Raises Refused."""
        place = self.timezone or "UTC"
        if place not in zones():
            remedy = did_you_mean_zone(place) or "write one like Europe/London"
            raise Refused(Refusal.INVALID, f"there is no time zone {place!r}", remedy)
        if not self.reason.strip():
            raise Refused(Refusal.INVALID, "a freeze is recorded with its reason", "say why")
        begins = self._moment("from", self.since.strip(), place, now, end=False) if self.since.strip() else None
        ends = self._moment("until", self.until.strip(), place, now, end=True)
        return WantedFreeze(self.environment, ends, self.reason, self.service, begins, place)

    @staticmethod
    def _moment(field: str, text: str, place: str, now: datetime, *, end: bool) -> datetime:
        try:
            return typed_moment(text, place, now, end=end)
        except ValueError as error:
            remedy = "write it like 4h, 2027-01-03 or 2027-01-03 17:00"
            raise Refused(Refusal.INVALID, f"{field}: {error}", remedy) from None


def _freeze(parts: PageParts, session: Session, asked: _Asked) -> None:
    who = session.identity
    parts.authority.check(who, Permission.OPERATE, asked.service, asked.environment)
    parts.freezes.freeze(asked.wanted(parts.engine.parts.clock.now()), who.actor)


def _thaw(parts: PageParts, session: Session, freeze_id: str) -> None:
    with parts.engine.parts.database.reading() as connection:
        found = parts.freezes.find(connection, freeze_id)
    place = (found.service, found.environment) if found else (None, None)
    parts.authority.check(session.identity, Permission.OPERATE, *place)
    parts.freezes.lift(freeze_id, session.identity.actor)
