"""What stands behind the evidence for a gate: what serves there, what would come with the release, who made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.model.change import Change
from tidegate.model.drill import Drill
from tidegate.model.ids import StageName
from tidegate.model.incident import Incident
from tidegate.model.known_people import KnownPeople
from tidegate.model.rehearsal import RecordedRehearsal
from tidegate.model.release import Release
from tidegate.model.rollout import Rollout
from tidegate.model.run import StageRun


@dataclass(frozen=True, slots=True)
class Background:
    """What is only read where somebody asks for the evidence.

    `brings` are the changes since the release that serves, the newest first; `earlier_stages` those that the release
    went through in the run that built it, where this is another one; `incidents` the newest ones at the placement,
    `drill` the service's last one that went well, and so is `rehearsal`.
    """

    serving: Release | None = None
    brings: tuple[Change, ...] = ()
    people: KnownPeople = KnownPeople()
    earlier_stages: tuple[StageRun, ...] = ()
    counted: tuple[int, int] | None = None
    """Requests to what serves there, and those that failed, over the time of an error budget."""

    earlier_rollouts: Mapping[StageName, Rollout] = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()
    drill: Drill | None = None
    rehearsal: RecordedRehearsal | None = None
