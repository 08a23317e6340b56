"""A deployment knows where its instances answer, and whether anything automatic may bring it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.model.builders import NOON, a_deployment, endpoints

from tidegate.model.installation import Installation, InstallationState, Instance, InstanceState


@pytest.mark.parametrize(("wanted", "ports"), [(0, []), (1, [9200]), (2, [9200, 9201]), (3, [9200, 9201, 9202])])
def test_its_first_instances_are_those_of_the_first_ports(wanted: int, ports: list[int]) -> None:
    deployment = a_deployment(instances=3, installed=3)
    assert [one.port for one in deployment.endpoints_of(wanted)] == ports


def test_an_instance_that_is_not_healthy_is_not_counted_as_another() -> None:
    deployment = replace(a_deployment(instances=3, installed=3), endpoints=endpoints((9201, 9202)))
    assert [one.port for one in deployment.endpoints_of(2)] == [9201]


def test_a_deployment_that_is_quarantined_says_so() -> None:
    assert not a_deployment().is_quarantined
    assert replace(a_deployment(), quarantined_at=NOON).is_quarantined


def test_people_call_it_by_its_commits_first_eight_digits() -> None:
    assert a_deployment().label == "cccccccc"


def test_only_healthy_instances_of_an_installation_may_get_traffic() -> None:
    where = endpoints((9200, 9201, 9202, 9203))
    states = (InstanceState.HEALTHY, InstanceState.STARTING, InstanceState.UNHEALTHY, InstanceState.HEALTHY)
    copies = tuple(Instance(at, one, state) for at, (one, state) in enumerate(zip(where, states, strict=True)))
    assert Installation(InstallationState.STARTING, copies).healthy == (where[0], where[3])
