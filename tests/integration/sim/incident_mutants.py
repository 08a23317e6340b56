"""Engines that are broken on purpose in how their incidents begin and end."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.sim.mutants import BAD, Mutant, Patch, Seeds, Told, the

from tidegate.model import decide_placement, placement_incident, rollout_return
from tidegate.model.deployment import Deployment
from tidegate.model.incident import Incident, with_suspects
from tidegate.model.placement_draft import PlacementDraft
from tidegate.model.rollout import Rollout
from tidegate.sim.incident_stories import INCIDENT_STORIES

RECOVERS, _, DIES, AGAIN = INCIDENT_STORIES


def no_incident_is_opened(patch: Patch) -> None:
    patch.setattr(rollout_return, "open_for", lambda *_: None)


def what_is_not_to_blame_opens_an_incident(patch: Patch) -> None:
    go_back = rollout_return._go_back

    def blame(draft: PlacementDraft, rollout: Rollout) -> None:
        if draft.incident is None and rollout.cause:
            placement_incident.open_for(draft, rollout, rollout.cause)
        go_back(draft, rollout)

    patch.setattr(rollout_return, "_go_back", blame)


def an_incident_names_the_good_one(patch: Patch) -> None:
    def swapped(incident: Incident, bad: Deployment | None, good: Deployment | None) -> Incident:
        return with_suspects(incident, good, bad)

    patch.setattr(placement_incident, "with_suspects", swapped)


def an_incident_never_ends(patch: Patch) -> None:
    patch.setattr(decide_placement, "look_after", lambda _draft: None)


def an_incident_ends_at_once(patch: Patch) -> None:
    patch.setattr(placement_incident, "HEALTHY_FOR", timedelta(0))


def an_incident_ends_whoever_serves(patch: Patch) -> None:
    patch.setattr(placement_incident, "is_cured_by", lambda *_: True)


def trouble_does_not_begin_the_five_minutes_anew(patch: Patch) -> None:
    well = placement_incident._is_well
    patch.setattr(
        placement_incident,
        "_is_well",
        lambda draft, incident: incident.healthy_since is not None or well(draft, incident),
    )


PEACE = "an incident is over after five minutes of peace"
MUTANTS = (
    Mutant("no incident is opened", no_incident_is_opened, Told(BAD), "what goes back for cause has an incident"),
    Mutant(
        "what is not to blame opens an incident",
        what_is_not_to_blame_opens_an_incident,
        Told(the("a cancel while it is being installed")),
        "only harm begins an incident",
    ),
    Mutant(
        "an incident names the good one", an_incident_names_the_good_one, Told(BAD), "an incident names what did harm"
    ),
    Mutant("an incident never ends", an_incident_never_ends, Seeds(0), "an incident ends when all has been well"),
    Mutant("an incident ends at once", an_incident_ends_at_once, Told(RECOVERS), PEACE),
    Mutant(
        "trouble does not begin the five minutes anew",
        trouble_does_not_begin_the_five_minutes_anew,
        Told(DIES),
        "the incident was over while what serves was not well",
    ),
    Mutant("an incident ends whoever serves", an_incident_ends_whoever_serves, Told(AGAIN), "an incident is over when"),
)
