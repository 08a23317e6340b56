"""Records of placements → the xDS documents that Envoy reads. Pure: equal records give equal text."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tidegate.model.ids import DeploymentId, PlacementId
from tidegate.model.installation import Endpoint, Routing
from tidegate.model.share import NONE
from tidegate.routers.router import RouterRefused
from tidegate.routers.routing_record import InstanceSet, RoutingRecord, set_of
from tidegate.routers.routing_records import file_name

MARK = "x-tidegate-deployment"
"""The response header that names the deployment which answered."""

Document = Mapping[str, Any]

_TYPES = "type.googleapis.com/envoy."
_LISTENER = _TYPES + "config.listener.v3.Listener"
_CLUSTER = _TYPES + "config.cluster.v3.Cluster"
_ROUTES = _TYPES + "config.route.v3.RouteConfiguration"
_CONNECTIONS = _TYPES + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_FILTER_STATE = _TYPES + "extensions.filters.network.set_filter_state.v3.Config"
_ROUTER_FILTER = _TYPES + "extensions.filters.http.router.v3.Router"
_PROTOCOL_OPTIONS = _TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions"
_OTHER_HOST = _TYPES + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"

_ROUTES_NAME = "placements"
_PLACEMENT_KEY = "tidegate.placement"
_STREAM_IDLE = "3600s"
_CONNECT_TIMEOUT = "3s"
_UPSTREAM_IDLE = "1s"
"""Shorter than usual servers wait (2 to 5 s): whoever closes first must not be the one who just got a request."""
_UNLIMITED = 1_000_000
NOTHING_DEPLOYED = "nothing is deployed here\n"


def check(routing: Routing) -> None:
    """Raise RouterRefused where Envoy could not serve the routing, whatever state it is in."""
    named = [route.deployment for route in routing.routes]
    for deployment in {one for one in named if named.count(one) > 1}:
        raise RouterRefused(f"the split of {routing.placement} names {deployment} twice")
    for route in routing.routes:
        if route.share != NONE and not route.endpoints:
            raise RouterRefused(f"{route.deployment} has no instance to get {route.share} of {routing.placement}")
        for endpoint in route.endpoints:
            _check_address(route.deployment, endpoint)
    if not 0 < routing.port < 65_536:
        raise RouterRefused(f"{routing.placement} cannot be served on port {routing.port}")


def _check_address(deployment: DeploymentId, endpoint: Endpoint) -> None:
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError as error:
        raise RouterRefused(f"an instance of {deployment} is at {endpoint}, which is not an IP address") from error


def clusters(records: Iterable[RoutingRecord]) -> str:
    """The document of all clusters: one an instance set. Those of one deployment count under its name together."""
    sets = {one.name: one for record in records for one in (*record.sets, *record.left)}
    return _response(_cluster(sets[name]) for name in sorted(sets))


def routes(records: Iterable[RoutingRecord]) -> str:
    """The document of all routes: one a placement that serves. Its version holds the generation of each."""
    serving = [(record.serving, record.serving_generation) for record in records if record.serving]
    document = {
        "@type": _ROUTES,
        "name": _ROUTES_NAME,
        "virtual_hosts": [
            {"name": "placements", "domains": ["*"], "routes": [_route(routing, its) for routing, its in serving]}
        ],
        # what Envoy adds for other proxies is not for services
        "request_headers_to_remove": ["x-envoy-external-address"],
    }
    version = ",".join(f"{file_name(routing.placement)}={generation}" for routing, generation in serving)
    return _response([document], version or "none")


def generation_in(version: str, placement: PlacementId) -> int | None:
    """The generation that the version of the routes holds for a placement, None where it has no route."""
    found = dict(one.split("=") for one in version.split(",") if "=" in one)
    generation = found.get(file_name(placement))
    return int(generation) if generation else None


def listeners(records: Iterable[RoutingRecord], routes: Path) -> str:
    """The document of all listeners: one a placement that serves; all read the one file `routes`."""
    return _response(_listener(record.placement, record.serving.port, routes) for record in records if record.serving)


def _route(routing: Routing, generation: int) -> Document:
    return {
        # an update without a difference would be skipped together with its version
        "name": f"{routing.placement} generation {generation}",
        "match": {
            "prefix": "/",
            "filter_state": [{"key": _PLACEMENT_KEY, "string_match": {"exact": routing.placement}}],
        },
        **_action(routing),
    }


def _action(routing: Routing) -> Document:
    weighted = [route for route in routing.routes if route.share != NONE]
    if not weighted:
        return {"direct_response": {"status": 503, "body": {"inline_string": NOTHING_DEPLOYED}}}
    return {
        "route": {
            "weighted_clusters": {
                "clusters": [
                    {
                        "name": set_of(route).name,
                        "weight": route.share.parts,
                        "response_headers_to_add": [_mark(route.deployment)],
                    }
                    for route in weighted
                ]
            },
            "timeout": "0s",
            "retry_policy": _RETRY,
        }
    }


def _mark(deployment: DeploymentId) -> Document:
    return {"header": {"key": MARK, "value": deployment}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


_RETRY = {
    # only what no instance has begun to answer: a retried error would be the proxy's kindness, not the version's
    "retry_on": "connect-failure,refused-stream,reset-before-request",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.1s"},
    "retry_host_predicate": [
        {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": _OTHER_HOST}}
    ],
    "host_selection_retry_max_attempts": 5,
}


def _listener(placement: PlacementId, port: int, routes: Path) -> Document:
    return {
        "@type": _LISTENER,
        "name": placement,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        # a port that another process uses must be refused, not shared with it
        "enable_reuse_port": False,
        "filter_chains": [
            {
                "filters": [
                    {"name": "envoy.filters.network.set_filter_state", "typed_config": _placement_note(placement)},
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": _connection_manager(routes),
                    },
                ]
            }
        ],
    }


def _placement_note(placement: PlacementId) -> Document:
    """Notes on every connection which placement it is for; the routes, which all share, go by that."""
    text = {"text_format_source": {"inline_string": placement.replace("%", "%%")}}
    return {
        "@type": _FILTER_STATE,
        "on_new_connection": [
            {"object_key": _PLACEMENT_KEY, "factory_key": "envoy.string", "format_string": text},
        ],
    }


def _connection_manager(routes: Path) -> Document:
    return {
        "@type": _CONNECTIONS,
        "stat_prefix": "placements",
        "rds": {
            "route_config_name": _ROUTES_NAME,
            "config_source": {"path_config_source": {"path": str(routes)}, "resource_api_version": "V3"},
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _ROUTER_FILTER, "suppress_envoy_headers": True},
            }
        ],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": _STREAM_IDLE,
        "server_header_transformation": "PASS_THROUGH",
        "generate_request_id": False,
        "preserve_external_request_id": True,
        # one proxy may stand before Envoy (for TLS), so what it says of the client's address and scheme is kept
        "use_remote_address": True,
        "xff_num_trusted_hops": 1,
        "http_protocol_options": {"accept_http_10": True},
    }


def _cluster(instances: InstanceSet) -> Document:
    return {
        "@type": _CLUSTER,
        "name": instances.name,
        "alt_stat_name": instances.deployment,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": instances.name,
            "endpoints": [{"lb_endpoints": [_endpoint(one) for one in instances.endpoints]}],
        },
        "connect_timeout": _CONNECT_TIMEOUT,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _UNLIMITED,
                    "max_pending_requests": _UNLIMITED,
                    "max_requests": _UNLIMITED,
                    "max_retries": _UNLIMITED,
                }
            ]
        },
        "outlier_detection": _OUTLIERS,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _PROTOCOL_OPTIONS,
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": _UPSTREAM_IDLE},
            }
        },
    }


_OUTLIERS = {
    # only instances that cannot be reached are left out for a while; errors that they answer are for the judge
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 3,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "enforcing_success_rate": 0,
    "interval": "2s",
    "base_ejection_time": "2s",
    "max_ejection_time": "20s",
    "max_ejection_percent": 50,
}


def _endpoint(endpoint: Endpoint) -> Document:
    return {"endpoint": {"address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}}}


def _response(resources: Iterable[Document], version: str | None = None) -> str:
    """A discovery response; without a `version` of its own it gets one that changes with what it says."""
    found = list(resources)
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
    return json.dumps({"version_info": version or digest, "resources": found}, sort_keys=True)
