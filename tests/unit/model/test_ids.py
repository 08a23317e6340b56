"""Identifiers say what they are made of."""

from __future__ import annotations

import pytest
from tests.unit.model.builders import PRODUCTION, SHOP, STAGING, a_pipeline, a_placement, a_release, a_runtime

from tidegate.model.deployment import deployment_id
from tidegate.model.ids import EnvironmentName, PlacementId, ReleaseId, ServiceName, placement_id, split_placement
from tidegate.model.rollout_begin import config_hash, deployment_for


def test_a_placement_is_named_by_its_service_and_environment() -> None:
    assert placement_id(SHOP, PRODUCTION) == "shop/production"


@pytest.mark.parametrize("service", ["shop", "shop-2", "team/shop"])
def test_a_placement_gives_back_its_service_and_environment(service: str) -> None:
    name = placement_id(ServiceName(service), PRODUCTION)
    assert split_placement(PlacementId(name)) == (service, PRODUCTION)


def test_a_deployments_id_is_short_lower_case_and_names_environment_release_and_configuration() -> None:
    name = deployment_id(EnvironmentName("production"), ReleaseId("01JABC"), "0123456789abcdef")
    assert name == "production-01jabc-01234567"


def test_the_same_release_with_the_same_configuration_is_the_same_deployment() -> None:
    release = a_release(a_pipeline())
    assert deployment_for(release, a_placement()) == deployment_for(release, a_placement(generation=99))


def test_another_environment_makes_another_deployment_of_the_same_release() -> None:
    release = a_release(a_pipeline())
    assert deployment_for(release, a_placement()) != deployment_for(release, a_placement(environment=STAGING))


def test_another_configuration_makes_another_deployment() -> None:
    assert config_hash(a_runtime(LOG_LEVEL="info")) != config_hash(a_runtime(LOG_LEVEL="debug"))
    assert config_hash(a_runtime(2)) != config_hash(a_runtime(3))


def test_the_order_in_which_variables_are_written_makes_no_other_deployment() -> None:
    assert config_hash(a_runtime(A="1", B="2")) == config_hash(a_runtime(B="2", A="1"))
