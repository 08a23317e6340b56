"""Figures from Envoy: what it counted for each deployment, by its admin interface."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from tidegate.metrics.source import SourceFailed
from tidegate.model.figures import Counters
from tidegate.model.ids import DeploymentId, PlacementId

_REQUESTS, _ERRORS, _ROUTED = "upstream_rq_completed", "upstream_rq_5xx", "upstream_rq_total"
_LATENCY = "upstream_rq_time"


class AdminPages(Protocol):
    """Reads pages of Envoy's admin interface."""

    def read(self, path: str) -> str:
        """The text of a page. Raises OSError where there is no answer."""


class EnvoyMetrics:
    """Counts the requests that Envoy sent to deployments, since the deployment's cluster was made or Envoy started.

    A request counts once it is answered, by its last answer: one that Envoy itself gave, because no instance could be
    reached, is an error of the deployment that was chosen; tries before it count only as routed. Latency is
    Envoy's `upstream_rq_time`, whole milliseconds from the end of the request to the end of the answer; its buckets
    are up to half a second behind the other counters.
    """

    def __init__(self, admin: AdminPages) -> None:
        self._admin = admin

    def counters(
        self, placement: PlacementId, deployments: Collection[DeploymentId]
    ) -> Mapping[DeploymentId, Counters]:
        """As `MetricsSource.counters`."""
        if not deployments:
            return {}
        names = "|".join(re.escape(deployment) for deployment in deployments)
        figures = "|".join((_REQUESTS, _ERRORS, _ROUTED, _LATENCY))
        query = {
            "format": "json",
            "histogram_buckets": "disjoint",
            "filter": rf"^cluster\.({names})\.({figures})$",
        }
        try:
            found = json.loads(self._admin.read(f"/stats?{urlencode(query)}"))["stats"]
            return counters_of(found, deployments)
        except OSError as error:
            raise SourceFailed(f"the figures of {placement} could not be read: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SourceFailed(f"the figures of {placement} could not be understood: {error!r}") from error


def counters_of(
    stats: Collection[Mapping[str, Any]], deployments: Collection[DeploymentId]
) -> dict[DeploymentId, Counters]:
    """The counters in Envoy's answer to `/stats`; a deployment without a cluster is left out.

    Raises ValueError, KeyError or TypeError for an answer of another form.
    """
    counts: dict[str, int] = {}
    buckets: dict[str, list[Mapping[str, Any]]] = {}
    for one in stats:
        if "histograms" in one:
            buckets |= {found["name"]: found["buckets"] for found in one["histograms"]}
        else:
            counts[one["name"]] = int(one["value"])
    return {
        deployment: _counters(f"cluster.{deployment}.", counts, buckets)
        for deployment in deployments
        if f"cluster.{deployment}.{_ROUTED}" in counts
    }


def _counters(prefix: str, counts: Mapping[str, int], buckets: Mapping[str, Collection[Mapping[str, Any]]]) -> Counters:
    found = sorted(buckets.get(prefix + _LATENCY, ()), key=lambda bucket: float(bucket["upper_bound"]))
    edges = tuple(float(bucket["upper_bound"]) for bucket in found)
    return Counters(
        # Envoy makes these two when they first count something
        requests=counts.get(prefix + _REQUESTS, 0),
        errors=counts.get(prefix + _ERRORS, 0),
        # the last edge is beyond every latency: what lies below it is the overflow
        edges=edges[:-1],
        latency=tuple(int(bucket["cumulative"]) for bucket in found),
        routed=counts[prefix + _ROUTED],
    )
