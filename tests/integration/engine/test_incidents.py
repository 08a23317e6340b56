"""Incidents on a real database: opened by what happens and by people, over by themselves, read by gates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.integration.engine.shop import OWNER, PLAIN, PRODUCTION, Shop

from tidegate.engine.gate_evidence import look_at_gate
from tidegate.engine.incidents import IncidentActs
from tidegate.engine.refusal import Refusal
from tidegate.model.event import EventKind
from tidegate.model.incident import COUNTED_FOR, HEALTHY_FOR, Incident, IncidentSource
from tidegate.model.incident_story import IncidentStory
from tidegate.model.run import RunStatus
from tidegate.model.verdict import Verdict
from tidegate.store import incident_queries

MINUTE = timedelta(minutes=1)
GUARDED = PLAIN.replace(
    "    gate: {approvals: {count: 1}}\n",
    "    gate: {approvals: {count: 1}, policy: 'incidents.all(one, !one.is_open)'}\n    verify: {watch: 1h}\n",
)


class Incidents:
    """What is open and over at a shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.acts = IncidentActs(shop.engine)

    def all(self) -> tuple[Incident, ...]:
        with self.shop.database.reading() as connection:
            return incident_queries.incidents(connection)

    def one(self) -> Incident:
        (found,) = self.all()
        return found

    def story(self) -> IncidentStory:
        with self.shop.database.reading() as connection:
            return self.acts.story(connection, self.one().id.upper())

    def rest(self, span: timedelta) -> None:
        """Let that time pass at rest, with a look each minute."""
        self.shop.settle_over(span // MINUTE, MINUTE)


@pytest.fixture
def incidents(shop: Shop) -> Incidents:
    return Incidents(shop)


def _promoted(shop: Shop, run: str) -> None:
    shop.built()
    shop.approved(run)
    shop.settle_until(lambda: shop.run(run).status is RunStatus.SUCCEEDED)


def _a_breach(shop: Shop) -> str:
    """A good release, and one that passes and shows harm afterwards; the run of the second."""
    _promoted(shop, shop.added(GUARDED))
    bad = shop.pushed()
    _promoted(shop, bad)
    shop.judge.verdict = Verdict.FAIL
    shop.settle_over(3)
    return bad


def test_a_breach_after_the_rollout_has_its_time_line_and_the_commits_between_good_and_bad(
    shop: Shop, incidents: Incidents
) -> None:
    bad = _a_breach(shop)
    story = incidents.story()
    assert story.incident.source is IncidentSource.WATCH and story.incident.run == bad
    assert [one.commit for one in story.changes] == [shop.run(bad).change.commit]
    kinds = [line.event.kind for line in story.lines]
    wanted = (EventKind.ROLLOUT_SHARES, EventKind.VERDICT, EventKind.INCIDENT_OPENED, EventKind.ROLLBACK_ROUTED)
    places = [kinds.index(kind) for kind in wanted]
    assert places == sorted(places) and all(line.event.about.get("environment") != "staging" for line in story.lines)


def test_it_keeps_a_gate_shut_that_asks_for_it_and_opens_the_gate_when_it_is_over_by_itself(
    shop: Shop, incidents: Incidents
) -> None:
    _a_breach(shop)
    shop.judge.verdict = Verdict.PASS
    following = shop.pushed()
    shop.built()
    shop.approved(following)
    assert shop.run(following).status is RunStatus.WAITING
    assert _evidence(shop, following) == [(True, incidents.one().reason[:200])]
    incidents.rest(HEALTHY_FOR + MINUTE)
    assert not incidents.one().is_open
    shop.settle_over(2)
    assert shop.run(following).status is RunStatus.SUCCEEDED
    assert [is_open for is_open, _ in _evidence(shop, following)] == [False]
    shop.clock.time += COUNTED_FOR
    assert _evidence(shop, following) == []


def _evidence(shop: Shop, run: str) -> list[tuple[bool, str]]:
    found: list[dict[str, Any]] = look_at_gate(shop.parts, run, "production").values["incidents"]
    return [(one["is_open"], one["because"]) for one in found]


def test_a_person_opens_and_closes_one_about_what_serves(shop: Shop, incidents: Incidents) -> None:
    shop.deployed()
    shop.refuses(lambda: incidents.acts.open("shop", "production", "  ", OWNER), Refusal.INVALID)
    shop.refuses(lambda: incidents.acts.open("shop", "nowhere", "slow", OWNER), Refusal.NOT_FOUND)
    made = incidents.acts.open("shop", "production", "customers call", OWNER)
    assert made.commit and made.commit.startswith(shop.serving(PRODUCTION) or "?")
    again = shop.refuses(lambda: incidents.acts.open("shop", "production", "slow", OWNER), Refusal.CONFLICT)
    assert again.remedy == f"tidegate incident show {made.id}"
    incidents.rest(2 * HEALTHY_FOR)
    assert incidents.one().is_open, "what serves is what the person complained of"
    incidents.acts.close(made.id, "it was the network", OWNER)
    assert incidents.one().closed_because == "closed by owner: it was the network"
    shop.refuses(lambda: incidents.acts.close(made.id, "", OWNER), Refusal.CONFLICT)
    shop.refuses(lambda: incidents.acts.close("nothing", "", OWNER), Refusal.NOT_FOUND)
