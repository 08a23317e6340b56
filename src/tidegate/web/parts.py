"""What the pages are made of: a part of what the API is made of."""

from __future__ import annotations

from typing import Protocol

from tidegate.engine.authority import Authority
from tidegate.engine.engine import Engine
from tidegate.engine.entrance import Entrance
from tidegate.engine.freezes import FreezeActs
from tidegate.engine.glass import GlassActs
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.people import PeopleActs
from tidegate.engine.placements import PlacementActs
from tidegate.engine.runs import RunActs
from tidegate.engine.services import ServiceActs
from tidegate.engine.step_logs import StepLogs
from tidegate.engine.train_acts import TrainActs
from tidegate.security.sign_in import SignIn
from tidegate.security.tokens import Tokens


class Feed(Protocol):
    """Notices new events."""

    def wake(self) -> None:
        """Look now."""

    async def newer_than(self, last: int, seconds: float) -> int:
        """The id of the newest event, as soon as it is higher than `last`, at the latest after `seconds`."""


class PageParts(Protocol):
    """What the pages show and do; the API's parts have all of it."""

    @property
    def engine(self) -> Engine:
        """Its parts are read from."""

    @property
    def runs(self) -> RunActs:
        """What people do to runs."""

    @property
    def placements(self) -> PlacementActs:
        """What people do to placements."""

    @property
    def services(self) -> ServiceActs:
        """What people do to services."""

    @property
    def freezes(self) -> FreezeActs:
        """What people do about freezes."""

    @property
    def incidents(self) -> IncidentActs:
        """What people do about incidents."""

    @property
    def trains(self) -> TrainActs:
        """What people ask of release trains."""

    @property
    def glass(self) -> GlassActs:
        """Opening gates at once, and the reviews that are owed for it."""

    @property
    def people(self) -> PeopleActs:
        """Who there is."""

    @property
    def authority(self) -> Authority:
        """Whether somebody may do what is asked."""

    @property
    def logs(self) -> StepLogs:
        """The logs of steps."""

    @property
    def sign_in(self) -> SignIn:
        """Codes and sessions."""

    @property
    def entrance(self) -> Entrance:
        """Passwords, one-time links, and how often somebody may try."""

    @property
    def tokens(self) -> Tokens:
        """Whose a token is."""

    @property
    def events(self) -> Feed:
        """Notices new events."""
