"""Alerts: each counts once, and takes back what it can be about only."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.model.builders import BLUE_GREEN, MINUTE, NOON, a_rollout
from tests.unit.model.test_incident import ALERT, an_incident

from tidegate.model.alert import MOST_ALERTS, Alert, OnAlert, ReceivedAlert
from tidegate.model.alert_response import answer_to, incident_with, with_alert
from tidegate.model.incident import IncidentSource
from tidegate.model.pipeline import VerifyRule
from tidegate.model.rollout import Cause, Rollout, RolloutKind, RolloutState

ROLLOUT = replace(a_rollout(BLUE_GREEN, VerifyRule(alerts=OnAlert.ROLLBACK)), began_at=NOON - MINUTE)


@pytest.mark.parametrize(
    ("rollout", "answer"),
    [
        (ROLLOUT, OnAlert.ROLLBACK),
        (replace(ROLLOUT, state=RolloutState.WATCHING), OnAlert.ROLLBACK),
        (replace(ROLLOUT, verify=VerifyRule(alerts=OnAlert.HOLD)), OnAlert.HOLD),
        (replace(ROLLOUT, verify=VerifyRule()), OnAlert.NOTE),
        (replace(ROLLOUT, verify=None), OnAlert.NOTE),
        (replace(ROLLOUT, began_at=NOON + MINUTE), OnAlert.NOTE),
        (replace(ROLLOUT, state=RolloutState.RETURNING), OnAlert.NOTE),
        (replace(ROLLOUT, state=RolloutState.SUCCEEDED), OnAlert.NOTE),
        (replace(ROLLOUT, kind=RolloutKind.ROLLBACK), OnAlert.NOTE),
        (replace(ROLLOUT, rollback_asked=Cause("x", True)), OnAlert.NOTE),
        (None, OnAlert.NOTE),
    ],
)
def test_an_alert_does_what_the_file_says_to_what_it_can_be_about(rollout: Rollout | None, answer: OnAlert) -> None:
    assert answer_to(ALERT, rollout) is answer


def test_the_same_firing_is_known_again_and_a_later_one_is_another() -> None:
    incident = an_incident(IncidentSource.ALERT, ALERT)
    assert incident_with([incident], replace(ALERT, summary="other words")) is incident
    assert incident_with([incident], replace(ALERT, since=NOON + MINUTE)) is None
    resolved = with_alert(incident, replace(ALERT, resolved_at=NOON + MINUTE))
    assert len(resolved.alerts) == 1 and not resolved.firing


def test_of_very_many_alerts_the_oldest_resolved_ones_go() -> None:
    incident = an_incident(IncidentSource.ALERT, replace(ALERT, resolved_at=NOON))
    for number in range(MOST_ALERTS):
        incident = with_alert(incident, Alert(f"n{number}", "a", "", NOON + timedelta(seconds=number)))
    assert len(incident.alerts) == MOST_ALERTS == len(incident.firing)


def test_an_alert_that_is_about_nothing_says_which_labels_it_lacks() -> None:
    assert ReceivedAlert(ALERT, "shop", "production").missing is None
    assert ReceivedAlert(ALERT, None, "production").missing == 'it has no label "service"'
    assert ReceivedAlert(ALERT, "", None).missing == 'it has no label "service" and no label "environment"'
