"""Which placements get synthetic requests now."""

from __future__ import annotations

from sqlalchemy import Connection

from tidegate.metrics.synthetic import SyntheticRequests
from tidegate.model.ids import PlacementId
from tidegate.model.rollout import RolloutState
from tidegate.model.step_environment import address_of
from tidegate.store import queries

VERIFYING = (RolloutState.MOVING, RolloutState.JUDGING, RolloutState.ASKING, RolloutState.WATCHING)


def wanted_traffic(connection: Connection) -> dict[PlacementId, SyntheticRequests]:
    """For each placement whose rollout is being verified and asks for it: the address and the rate."""
    wanted: dict[PlacementId, SyntheticRequests] = {}
    for rollout in queries.active_rollouts(connection):
        placement = queries.placement(connection, rollout.placement)
        traffic = rollout.verify.traffic if rollout.verify else None
        if rollout.is_under_load:
            continue  # what it holds is measured with the load check's requests alone
        if traffic and placement and placement.serving and rollout.state in VERIFYING:
            url = address_of(placement) + traffic.path
            wanted[placement.id] = SyntheticRequests(url, traffic.per_second)
    return wanted
