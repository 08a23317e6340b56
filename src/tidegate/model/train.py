"""Release trains: releases of several services that leave together, in an order, and come back together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from tidegate.model.actor import Actor
from tidegate.model.ids import EnvironmentName, ReleaseId, RunId, ServiceName, StageName
from tidegate.model.schedule import Schedule

TrainRunId = NewType("TrainRunId", str)


@dataclass(frozen=True, slots=True)
class Train:
    """A train of the server's configuration. `after` names for a service those that must have passed before it;
    `leaves` says when, None for when somebody says so. Services whose own file names the train travel with it, too."""

    name: str
    services: tuple[ServiceName, ...]
    environment: EnvironmentName
    after: Mapping[ServiceName, tuple[ServiceName, ...]] = field(default_factory=dict)
    leaves: Schedule | None = None

    def next_departure(self, after: datetime) -> datetime | None:
        """The first time of its schedule after a moment. Raises UnknownZone."""
        if self.leaves is None:
            return None
        return Schedule(self.leaves.cron, self.leaves.timezone, timedelta(0)).changes_at(after)


class TrainState(StrEnum):
    """How a run of a train stands."""

    COLLECTING = "collecting"
    MOVING = "moving"
    RETURNING = "returning"
    ARRIVED = "arrived"
    RETURNED = "returned"
    CANCELLED = "cancelled"

    @property
    def is_ended(self) -> bool:
        """Whether it does nothing more."""
        return self in (TrainState.ARRIVED, TrainState.RETURNED, TrainState.CANCELLED)


class MemberState(StrEnum):
    """How a release stands that left with a train.

    LEFT never began, and stays at its gate; RETURNED serves no more, or was never deployed by it; HELD serves on,
    because its placement's floor lets nothing older serve.
    """

    ABOARD = "aboard"
    CALLED = "called"
    PASSED = "passed"
    FAILED = "failed"
    RETURNING = "returning"
    RETURNED = "returned"
    LEFT = "left"
    HELD = "held"

    @property
    def is_back(self) -> bool:
        """Whether nothing of it is to be taken back any more."""
        return self in (MemberState.RETURNED, MemberState.LEFT, MemberState.HELD)


@dataclass(frozen=True, slots=True)
class Member:
    """A release aboard: the run and the stage by which it goes; `because` says why it stands as it does."""

    service: ServiceName
    run: RunId
    release: ReleaseId
    label: str
    stage: StageName
    state: MemberState = MemberState.ABOARD
    because: str = ""


@dataclass(frozen=True, slots=True)
class TrainRun:
    """One passage of a train: it collects, leaves with what is ready, and arrives or comes back whole.

    There is one open passage of a train at a time. `after` is as the configuration said when it left.
    """

    id: TrainRunId
    train: str
    environment: EnvironmentName
    state: TrainState
    opened_at: datetime
    leaves_at: datetime | None = None
    plan: str = ""
    """The schedule by which `leaves_at` was found."""

    members: tuple[Member, ...] = ()
    after: Mapping[ServiceName, tuple[ServiceName, ...]] = field(default_factory=dict)
    held_by: str | None = None
    depart_asked_by: Actor | None = None
    cancel_asked_by: Actor | None = None
    departed_at: datetime | None = None
    ended_at: datetime | None = None
    because: str = ""

    def member(self, service: ServiceName) -> Member | None:
        """The service's release aboard, None where there is none."""
        return next((one for one in self.members if one.service == service), None)

    def before(self, service: ServiceName) -> tuple[Member, ...]:
        """Those aboard that must have passed before the service's turn comes."""
        return tuple(one for one in self.members if one.service in self.after.get(service, ()))

    def behind(self, service: ServiceName) -> tuple[Member, ...]:
        """Those aboard whose turn comes after the service passed."""
        return tuple(one for one in self.members if service in self.after.get(one.service, ()))


@dataclass(frozen=True, slots=True)
class TrainSign:
    """What a gate sees of a train: whether it is this release's turn, and if not, what it waits for."""

    train: str
    is_turn: bool
    text: str
    remedy: str | None = None
    is_aboard: bool = False


def sign_for(name: str, train: Train | None, passage: TrainRun | None, run: RunId) -> TrainSign:
    """What the gate of a run sees of the train that its service belongs to."""
    if passage is None:
        text = "has not begun to collect yet" if train else "is not in the server's configuration any more"
        remedy = None if train else "take `train` out of tidegate.yaml, or add it to tidegate-server.yaml"
        return TrainSign(name, False, f"the train {name} {text}", remedy)
    member = next((one for one in passage.members if one.run == run), None)
    show = f"tidegate train show {name}"
    match passage.state:
        case TrainState.COLLECTING:
            return _collecting(name, passage)
        case TrainState.MOVING if member:
            if member.state is MemberState.CALLED:
                return TrainSign(name, True, f"the train {name} has left, and it is its turn", is_aboard=True)
            waited = [one.service for one in passage.before(member.service) if one.state is not MemberState.PASSED]
            text = f"aboard the train {name}; its turn comes after {', '.join(waited) or 'the next look'}"
            return TrainSign(name, False, text, show, is_aboard=True)
        case TrainState.MOVING:
            return TrainSign(name, False, f"the train {name} is under way without it; the next one collects", show)
        case _:
            return TrainSign(name, False, f"the train {name} comes back: {passage.because}", show)


def _collecting(name: str, passage: TrainRun) -> TrainSign:
    if passage.held_by:
        return TrainSign(name, False, f"the train {name} is held by {passage.held_by}", f"tidegate train resume {name}")
    when = f"at {passage.leaves_at:%Y-%m-%d %H:%M %Z}" if passage.leaves_at else "when somebody says so"
    return TrainSign(name, False, f"the train {name} leaves {when}", f"tidegate train depart {name}")
