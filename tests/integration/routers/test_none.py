"""Environments without a router."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.routers.contract import MakeRouter, RouterContract
from tests.integration.routers.services import SHOP, free_port, instances, route, routing

from tidegate.model.ids import Generation
from tidegate.routers.none import NoRouter
from tidegate.routers.router import RouterRefused


def no_router(folder: Path) -> NoRouter:
    return NoRouter(folder, lambda: datetime.now(UTC))


class TestNoRouterKeepsTheContract(RouterContract):
    @pytest.fixture
    def router(self, tmp_path: Path) -> MakeRouter:
        return lambda: no_router(tmp_path / "none")


def test_a_split_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    with instances("v1", "v2") as [v1, v2]:
        split = routing(free_port(), route("v1", 95, v1), route("v2", 5, v2))
        with pytest.raises(RouterRefused, match="use strategy: blue-green, or give the environment router: envoy"):
            no_router(tmp_path).set_shares(split, Generation(1))
    assert no_router(tmp_path).shares(SHOP) is None


def test_a_switch_from_one_deployment_to_another_is_taken(tmp_path: Path) -> None:
    with instances("v1", "v2") as [v1, v2]:
        port = free_port()
        no_router(tmp_path).set_shares(routing(port, route("v1", 100, v1), route("v2", 0, v2)), Generation(1))
        switched = routing(port, route("v1", 0, v1), route("v2", 100, v2))
        assert no_router(tmp_path).set_shares(switched, Generation(2))
    assert no_router(tmp_path).shares(SHOP) == switched
