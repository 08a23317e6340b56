"""How a router's record of a placement moves, also when it is overtaken half way."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidegate.model.generation import StaleGeneration
from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, Route, Routing
from tidegate.model.share import Share
from tidegate.routers.router import RouterRefused
from tidegate.routers.routing_record import InstanceSet, Phase, RoutingRecord, begin, sets_of
from tidegate.routers.routing_records import RecordUnreadable, RoutingRecords

SHOP = PlacementId("shop/production")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
A, B, C = (Endpoint("127.0.0.1", port) for port in (1, 2, 3))


def split(**shares: tuple[float, Endpoint]) -> Routing:
    routes = [Route(DeploymentId(name), Share.percent(share), (at,)) for name, (share, at) in shares.items()]
    return Routing(SHOP, 18_000, tuple(routes))


OLD, NEW, NEWEST = split(v1=(100, A)), split(v2=(100, B)), split(v3=(100, C))


def advanced(record: RoutingRecord, to: Phase) -> RoutingRecord:
    while record.phase is not to:
        record = record.advanced(NOW)
    return record


def settled_old() -> RoutingRecord:
    return moved(None, OLD, 1)


def moved(record: RoutingRecord | None, routing: Routing, generation: int) -> RoutingRecord:
    return advanced(begin(record, routing, Generation(generation)), Phase.SETTLED)


def deployments(sets: tuple[InstanceSet, ...]) -> set[str]:
    return {one.deployment for one in sets}


def test_the_old_split_serves_until_what_is_new_is_there() -> None:
    record = begin(settled_old(), NEW, Generation(2))
    assert (record.phase, record.serving, record.serving_generation) == (Phase.ADDING, OLD, 1)
    assert deployments(record.sets) == {"v1", "v2"}


def test_what_the_old_split_needs_stays_until_the_new_one_serves() -> None:
    record = advanced(begin(settled_old(), NEW, Generation(2)), Phase.ROUTING)
    assert record.serving == NEW
    assert deployments(record.sets) == {"v1", "v2"}
    assert deployments(advanced(record, Phase.SETTLED).sets) == {"v2"}


def test_a_move_overtaken_before_its_split_was_confirmed_keeps_all_that_may_still_serve() -> None:
    unconfirmed = advanced(begin(settled_old(), NEW, Generation(2)), Phase.ROUTING)
    record = begin(unconfirmed, NEWEST, Generation(3))
    assert deployments(record.sets) == {"v1", "v2", "v3"}
    assert record.gets_requests(DeploymentId("v2"), B)
    assert deployments(advanced(record, Phase.SETTLED).sets) == {"v3"}


def test_instances_that_left_are_watched_until_idle_in_a_later_move() -> None:
    first, second, third = split(v1=(100, A)), split(v1=(100, B)), split(v1=(100, C))
    record = moved(moved(None, first, 1), second, 2)
    left = sets_of(first)
    assert record.left == left
    assert not record.gets_requests(DeploymentId("v1"), A)
    routed = advanced(begin(record, third, Generation(3)), Phase.ROUTING)
    assert routed.advanced(NOW).left == left + sets_of(second)
    # what left just now may get a request that was on its way, however idle it looks
    idle = [one.name for one in left + sets_of(second)]
    assert routed.advanced(NOW, idle).left == sets_of(second)


def test_instances_that_come_back_are_no_longer_leaving() -> None:
    first, second = split(v1=(100, A)), split(v1=(100, B))
    record = moved(moved(None, first, 1), second, 2)
    back = moved(record, first, 3)
    assert (back.sets, back.left) == (sets_of(first), sets_of(second))


def test_it_is_confirmed_only_at_the_end() -> None:
    record = begin(None, OLD, Generation(1))
    assert advanced(record, Phase.ROUTING).confirmed_at is None
    assert advanced(record, Phase.SETTLED).confirmed_at == NOW
    assert begin(settled_old(), NEW, Generation(2)).confirmed_at is None


@pytest.mark.parametrize("phase", list(Phase))
def test_the_same_generation_goes_on_where_it_was(phase: Phase) -> None:
    record = advanced(begin(settled_old(), NEW, Generation(2)), phase)
    assert begin(record, NEW, Generation(2)) == record


def test_a_lower_generation_and_another_split_of_the_same_one_are_refused() -> None:
    record = begin(settled_old(), NEW, Generation(2))
    with pytest.raises(StaleGeneration):
        begin(record, OLD, Generation(1))
    with pytest.raises(RouterRefused):
        begin(record, NEWEST, Generation(2))


def test_records_are_kept_under_names_that_stay_in_their_folder(tmp_path: Path) -> None:
    records = RoutingRecords(tmp_path / "records")
    placement = PlacementId("../../shop/production")
    record = begin(None, Routing(placement, 18_000, ()), Generation(1))
    with records.one_at_a_time(placement):
        records.write(record)
    assert records.read(placement) == record
    assert records.read_all() == [record]
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop%2Fproduction.json").write_text('{"generation": 1}')
    with pytest.raises(RecordUnreadable, match=r"shop%2Fproduction.json is damaged"):
        RoutingRecords(tmp_path).read(SHOP)
