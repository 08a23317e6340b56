"""Where alerts come in: Prometheus's Alertmanager tells them with a token of the server's configuration.

The form is version 4 of Alertmanager's webhook (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from tidegate.api.answers import Answer
from tidegate.api.problems import ProblemRaised
from tidegate.api.routing import name_of
from tidegate.api.security import address_of, parts_of
from tidegate.engine.alerts import NoAlerts, TakenAlert
from tidegate.model.alert import Alert, AlertOutcome, ReceivedAlert
from tidegate.security.tokens import token_hash

router = APIRouter(prefix="/hooks", tags=["hooks"], generate_unique_id_function=name_of)

ALERTS_AT_MOST = 500
NAME_AT_MOST, SUMMARY_AT_MOST = 100, 500

_PROOF = "send the token of alerts.token_file: Authorization: Bearer TOKEN"
_OFF = "add to tidegate-server.yaml, and start the server again: alerts: {token_file: alertmanager-token}"
_LABELS = "give the alert's rule the labels service and environment, as Tidegate calls them: tidegate status"

Label = Annotated[str, StringConstraints(max_length=10_000)]
Labels = Annotated[dict[Label, Label], Field(max_length=200)]


class AlertBody(BaseModel):
    """One alert; `endsAt` says when it resolved."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: AwareDatetime
    endsAt: AwareDatetime | None = None
    fingerprint: Annotated[str, StringConstraints(pattern="^[0-9A-Za-z._-]{1,64}$")]

    def received(self, now: datetime) -> ReceivedAlert:
        """As the engine takes it."""
        summary = self.annotations.get("summary") or self.annotations.get("description") or ""
        ended = (self.endsAt if self.endsAt and self.endsAt > self.startsAt else now) if self._has_ended else None
        name = _line(self.labels.get("alertname", "without a name"), NAME_AT_MOST)
        alert = Alert(self.fingerprint, name, _line(summary, SUMMARY_AT_MOST), self.startsAt, ended)
        return ReceivedAlert(alert, self.labels.get("service"), self.labels.get("environment"))

    @property
    def _has_ended(self) -> bool:
        return self.status == "resolved"


class AlertsBody(BaseModel):
    """What Alertmanager sends: the alerts of one group."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: Annotated[list[AlertBody], Field(max_length=ALERTS_AT_MOST)]


class TakenAlertAnswer(Answer):
    """What became of an alert."""

    fingerprint: str
    name: str
    outcome: AlertOutcome
    incident: str | None


def check_sender(request: Request, authorization: Annotated[str, Header(max_length=4096)] = "") -> None:
    """Whether it is Alertmanager who sends. Raises ProblemRaised, TooManyAttempts."""
    parts = parts_of(request)
    scheme, _, token = authorization.partition(" ")
    address, hashed = address_of(request), token_hash(token.strip())
    parts.entrance.limits.begin_token(address, hashed)
    try:
        known = scheme.lower() == "bearer" and parts.alerts.is_sender(token.strip())
    except NoAlerts:
        raise ProblemRaised(HTTPStatus.NOT_FOUND, "this server takes no alerts", _OFF) from None
    if not known:
        parts.entrance.limits.bad_token(hashed)
        raise ProblemRaised(HTTPStatus.UNAUTHORIZED, "the token does not prove that this is Alertmanager", _PROOF)
    parts.entrance.limits.good_token(address, hashed)


Sender = Annotated[None, Depends(check_sender)]


@router.post("/alertmanager")
def take_alerts(request: Request, _: Sender, body: AlertsBody) -> list[TakenAlertAnswer]:
    """Take alerts: one that fires opens an incident, and rolls back or holds where the file says so.

    Where one of them is about nothing known, the others are taken all the same, and the answer says what is missing.
    """
    parts = parts_of(request)
    now = parts.engine.parts.clock.now()
    taken = parts.alerts.take([one.received(now) for one in body.alerts])
    parts.events.wake()
    unknown = [one for one in taken if one.outcome is AlertOutcome.UNKNOWN]
    if unknown:
        said = "; ".join(_unknown(one) for one in unknown[:5])
        others = len(taken) - len(unknown)
        detail = said + (f"; {others} others were taken" if others else "")
        raise ProblemRaised(HTTPStatus.UNPROCESSABLE_ENTITY, detail, _LABELS)
    return [
        TakenAlertAnswer(
            fingerprint=one.alert.fingerprint, name=one.alert.name, outcome=one.outcome, incident=one.incident
        )
        for one in taken
    ]


def _unknown(taken: TakenAlert) -> str:
    return f"alert {taken.alert.name}: {taken.because}"


def _line(text: str, at_most: int) -> str:
    """Somebody else's words in one line of printable characters."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= at_most else line[: at_most - 1] + "…"
