"""What the dead man did, as a router keeps it in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from tidegate.model.dead_man import Fallback
from tidegate.model.figures import Counters, Snapshot
from tidegate.model.ids import DeploymentId, Generation, RolloutId


def to_fields(fallback: Fallback) -> dict[str, Any]:
    """Plain values that `from_fields` reads."""
    return {
        "rollout": fallback.rollout,
        "generation": fallback.generation,
        "at": fallback.at.isoformat(),
        "unjudged": fallback.unjudged.total_seconds(),
        "counted": [asdict(one) | {"at": one.at.isoformat()} for one in fallback.counted],
    }


def from_fields(fields: Mapping[str, Any]) -> Fallback:
    """What `to_fields` was given. Raises KeyError, TypeError or ValueError for other fields."""
    return Fallback(
        rollout=RolloutId(fields["rollout"]),
        generation=Generation(fields["generation"]),
        at=datetime.fromisoformat(fields["at"]),
        unjudged=timedelta(seconds=fields["unjudged"]),
        counted=tuple(_snapshot(one) for one in fields["counted"]),
    )


def _snapshot(fields: Mapping[str, Any]) -> Snapshot:
    counted = fields["deployments"]
    return Snapshot(
        at=datetime.fromisoformat(fields["at"]),
        generation=Generation(fields["generation"]),
        deployments={DeploymentId(one): _counters(counted[one]) for one in counted},
    )


def _counters(fields: Mapping[str, Any]) -> Counters:
    return Counters(**{**fields, "edges": tuple(fields["edges"]), "latency": tuple(fields["latency"])})
