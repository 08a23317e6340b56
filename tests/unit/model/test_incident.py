"""Incidents: what opens one, what it names, and when it is over by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import (
    ANNA,
    BLUE_GREEN,
    FAIL,
    HOUR,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PASS,
    a_canary,
    a_deployment,
)
from tests.unit.model.placement_story import PlacementStory, a_first_release, an_upgrade

from tidegate.model.actor import SYSTEM
from tidegate.model.alert import Alert
from tidegate.model.change import Change
from tidegate.model.deployment import Deployment
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.ids import Commit, IncidentId
from tidegate.model.incident import HEALTHY_FOR, Incident, IncidentSource, is_cured_by
from tidegate.model.incident_story import IncidentStory, post_mortem
from tidegate.model.pipeline import VerifyRule
from tidegate.model.rollout import Cause
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

VERIFY = VerifyRule(watch=HOUR)
ALERT = Alert("f1", "HighErrors", "5% of requests fail", NOON)


def the_incident(story: PlacementStory) -> Incident:
    (found,) = story.incidents.values()
    return found


def test_a_failed_verification_opens_one_that_names_the_deployment_and_the_last_good_one() -> None:
    story = an_upgrade(a_canary(5, 50), VERIFY).settle().hear(FAIL)
    found = the_incident(story)
    assert (found.source, found.is_open) == (IncidentSource.VERIFICATION, True)
    assert (found.deployment, found.good) == (NEW, OLD)
    assert found.after_order < found.up_to_order == story.deployment(NEW).order
    assert found.evidence == FAIL and FAIL.reason in found.reason
    (opened,) = [one for one in story.events if one.kind is EventKind.INCIDENT_OPENED]
    assert opened.about["incident"] == found.id and opened.about["run"] == story.rollout.run


def test_a_breach_in_the_watch_window_is_told_from_one_before() -> None:
    story = an_upgrade(BLUE_GREEN, VERIFY).settle().hear(PASS)
    assert not story.incidents
    assert the_incident(story.hear(FAIL)).source is IncidentSource.WATCH


def test_a_persons_rollback_opens_one_and_a_cancelled_run_does_not() -> None:
    story = an_upgrade(a_canary(5, 50), VERIFY).settle().hear(None)
    assert the_incident(story.roll_back(ANNA)).source is IncidentSource.ROLLBACK
    assert the_incident(story).opened_by == ANNA
    other = an_upgrade(a_canary(5, 50), VERIFY).settle().hear(None)
    other.people_say(rollback_asked=Cause("cancelled by anna", False, ANNA))
    assert not other.incidents


def test_it_is_over_when_the_old_deployment_has_served_in_good_health_for_long_enough() -> None:
    story = an_upgrade(a_canary(5, 50), VERIFY).settle().hear(FAIL).hear(None)
    story.wait(HEALTHY_FOR - MINUTE)
    assert the_incident(story).is_open
    story.wait(MINUTE)
    found = the_incident(story)
    assert found.closed_at == NOON + story.now_ and found.closed_by == SYSTEM
    assert story.said(EventKind.INCIDENT_CLOSED) == [f"the incident is over: {found.closed_because}"]
    assert "has served in good health for 5m" in found.closed_because


def test_trouble_begins_the_time_anew() -> None:
    story = an_upgrade(a_canary(5, 50), VERIFY).settle().hear(FAIL).hear(None)
    story.wait(HEALTHY_FOR - MINUTE)
    story.state = replace(story.state, placement=replace(story.placement, health="1 of 2 instances healthy"))
    story.settle()
    assert the_incident(story).healthy_since is None
    story.state = replace(story.state, placement=replace(story.placement, health="healthy"))
    story.settle().wait(HEALTHY_FOR - MINUTE)
    assert the_incident(story).is_open


def test_where_nothing_serves_afterwards_it_is_not_over() -> None:
    story = a_first_release(BLUE_GREEN, VERIFY).settle().hear(FAIL).wait(HOUR)
    assert the_incident(story).is_open


def an_incident(source: IncidentSource, *alerts: Alert) -> Incident:
    placement = an_upgrade(BLUE_GREEN).placement
    place = (placement.id, placement.service, placement.environment)
    return Incident(IncidentId("i1"), *place, source, "it is slow", NOON, ANNA, deployment=OLD, alerts=alerts)


PROVEN = replace(a_deployment(OLD), proven_at=NOON - HOUR)
RESOLVED = replace(ALERT, resolved_at=NOON + MINUTE)


@pytest.mark.parametrize(
    ("incident", "serving", "cured"),
    [
        (an_incident(IncidentSource.PERSON), PROVEN, False),
        (an_incident(IncidentSource.PERSON), replace(PROVEN, proven_at=NOON + MINUTE), True),
        (an_incident(IncidentSource.PERSON), a_deployment(NEW), True),
        (an_incident(IncidentSource.PERSON), replace(a_deployment(NEW), quarantined_at=NOON), False),
        (an_incident(IncidentSource.ALERT, ALERT), PROVEN, False),
        (an_incident(IncidentSource.ALERT, ALERT), a_deployment(NEW), False),
        (an_incident(IncidentSource.ALERT, RESOLVED), PROVEN, True),
        (an_incident(IncidentSource.ALERT, RESOLVED, ALERT), PROVEN, False),
    ],
)
def test_what_a_person_or_an_alert_complained_of_is_cured_by_something_else(
    incident: Incident, serving: Deployment, cured: bool
) -> None:
    assert is_cured_by(incident, serving) is cured


def test_the_draft_of_a_post_mortem_has_all_that_is_known_and_takes_words_as_they_are() -> None:
    finding = MetricFinding("errors", 25.0, 0.3, 1e-9, "%", Verdict.FAIL)
    usage = MetricFinding("wishes (usage)", 8.75911, 11.0253, 1.0, "%", Verdict.UNDECIDED, 6.0, 12.5)
    evidence = Judgement(Verdict.FAIL, "errors: 25% of 40 requests", "errors", (finding, usage))
    incident = replace(an_incident(IncidentSource.WATCH, ALERT), evidence=evidence, reason="<b>slow</b>\n# no heading")
    change = Change(Commit("1a2b3c4d5e6f"), "Ada", "ada@example.com", NOON, "Add *discounts*")
    line = RecordedEvent(1, NOON, Event(EventKind.ROLLBACK_DECIDED, "back to 99aa", {}), "", "")
    text = post_mortem(IncidentStory(incident, (change,), (line,)), NOON + timedelta(minutes=3))
    assert text.startswith("# shop in production: \\<b\\>slow\\</b\\> \\# no heading\n")
    for wanted in (
        "- `1a2b3c4d` Add \\*discounts\\* (Ada)",
        "errors: 25 % on the new deployment, against 0.3 % (fail)",
        "wishes (usage): 8.76 % on the new deployment, against 11 % (told, not judged)",
        "alert HighErrors: 5% of requests fail, since 2026-",
        "back to 99aa (tidegate)",
        "- It has not ended.",
    ):
        assert wanted in text, text
