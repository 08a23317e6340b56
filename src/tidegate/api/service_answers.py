"""Services as the API tells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tidegate.api.answers import Answer, ReasonAnswer
from tidegate.api.placement_answers import PlacementAnswer
from tidegate.api.run_answers import RunItem
from tidegate.model.demands import demands_of
from tidegate.model.environment import Environment
from tidegate.model.pipeline import Mode, Risk
from tidegate.model.service import Service, mode_of
from tidegate.model.traffic import Traffic, minutes_since_first


class ServiceAnswer(Answer):
    """A service. `mode` is its file's wish, `grant` a person's, which does not count while it is demoted;
    `effective_mode` is what the gates to protected environments go by, and `effective_because` says why."""

    name: str
    repository: str
    added_at: datetime
    path: str
    branch: str | None
    credential: str | None
    team: str | None
    risk: Risk
    mode: Mode
    grant: Mode | None
    demoted_because: str | None
    effective_mode: Mode
    effective_because: ReasonAnswer
    last_seen: str | None
    trouble: str | None
    paused_because: str | None
    line_stopped_because: str | None
    removed_at: datetime | None


class ServiceDetail(ServiceAnswer):
    """A service and where it runs."""

    environments: dict[str, PlacementAnswer]
    demands: dict[str, tuple[str, ...]]
    """What the server demands of it in each environment, whatever its file says."""


class AddedAnswer(Answer):
    """A new service, and the run of its newest commit."""

    service: ServiceAnswer
    run: RunItem


class TrafficAnswer(Answer):
    """Requests to a service in an environment since `since`, by the router's counts, and how many a minute."""

    environment: str
    since: datetime
    requests: int
    errors: int
    per_minute: float


def traffic_answer(
    environment: str, hours: Sequence[Traffic], now: datetime, first_minute: datetime | None
) -> TrafficAnswer:
    """The sum of at least one hour; `first_minute` is the first that is known of the first one."""
    since = first_minute or hours[0].begin
    requests = sum(one.requests for one in hours)
    return TrafficAnswer(
        environment=environment,
        since=since,
        requests=requests,
        errors=sum(one.errors for one in hours),
        per_minute=requests / minutes_since_first(hours, now, first_minute),
    )


def service_answer(service: Service) -> ServiceAnswer:
    """The service as the API tells it. A secret is only named."""
    return ServiceAnswer.model_validate(_fields(service))


def service_detail(
    service: Service, environments: dict[str, PlacementAnswer], known: Iterable[Environment]
) -> ServiceDetail:
    """The service, where it runs, and what the server demands of it in the environments that are known."""
    floors = {one.name: demands_of(one.floors_for(service.name)) for one in known}
    demands = {name: lines for name, lines in floors.items() if lines}
    return ServiceDetail.model_validate({**_fields(service), "environments": environments, "demands": demands})


def _fields(service: Service) -> dict[str, object]:
    effective = mode_of(service)
    own = {name: getattr(service, name) for name in ServiceAnswer.model_fields if hasattr(service, name)}
    return {**own, "effective_mode": effective.mode, "effective_because": effective.because}
