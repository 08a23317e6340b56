"""The router that Tidegate brings along: an Envoy on this machine, told by files and asked by its admin interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tidegate.model.ids import DeploymentId, Generation, PlacementId
from tidegate.model.installation import Endpoint, ObservedRouting, Routing
from tidegate.model.share import NONE
from tidegate.routers.envoy_admin import EnvoyAdmin, EnvoyAway
from tidegate.routers.envoy_files import EnvoyFiles
from tidegate.routers.envoy_resources import check, generation_in
from tidegate.routers.router import RouterRefused
from tidegate.routers.routing_record import Phase, RoutingRecord, begin, set_of, sets_of

_CONFIRM_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Lacking:
    """What Envoy does not do yet; `is_refusal` says that it will not, if it still does not after a second."""

    what: str
    is_refusal: bool


class EnvoyRouter:
    """Splits placements' traffic by an Envoy that watches the files in `folder` (DIR/router).

    Every call does only the difference between what Envoy does and what it should do, so it may be repeated, by
    another process as well.
    """

    def __init__(self, folder: Path, admin: EnvoyAdmin, now: Callable[[], datetime]) -> None:
        self._files = EnvoyFiles(folder)
        self._records = self._files.records
        self._admin = admin
        self._now = now

    def set_shares(self, routing: Routing, generation: Generation) -> ObservedRouting | None:
        """As `Router.set_shares`. Raises also EnvoyAway (an OSError) where Envoy did not answer for a second."""
        check(routing)
        deadline = time.monotonic() + _CONFIRM_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        again = True
        while True:
            try:
                outcome = self._advance(routing, generation, again)
            except EnvoyAway:
                if time.monotonic() > deadline:
                    raise
            else:
                if isinstance(outcome, ObservedRouting):
                    return outcome
                again = False
                if time.monotonic() > deadline:
                    if outcome.is_refusal:
                        raise RouterRefused(outcome.what)
                    return None
            # not under the lock: a higher generation may overtake this one meanwhile
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def shares(self, placement: PlacementId) -> Routing | None:
        """As `Router.shares`: what Envoy serves or, if it does not run, serves as soon as it does."""
        record = self._records.read(placement)
        return record.serving if record else None

    def drained(self, placement: PlacementId, deployment: DeploymentId, endpoints: Collection[Endpoint]) -> bool:
        """As `Router.drained`. A WebSocket counts as a request in flight. Raises EnvoyAway."""
        record = self._records.read(placement)
        if record and any(record.gets_requests(deployment, endpoint) for endpoint in endpoints):
            return False
        hosts = [host for found in self._admin.hosts([deployment]).values() for host in found]
        return not any(host.requests_active for host in hosts if host.endpoint in endpoints)

    def _advance(self, routing: Routing, generation: Generation, again: bool) -> ObservedRouting | _Lacking:
        """Go as far as Envoy confirms at once. `again` tells Envoy anew what it seems to have missed or refused."""
        with self._records.one_at_a_time(routing.placement):
            former = self._records.read(routing.placement)
            record = begin(former, routing, generation)
            if record != former:
                self._records.write(record)
            if record.phase is not Phase.ROUTING:
                lacking = self._take_on(record, again)
                if lacking:
                    return lacking
            if record.phase is Phase.ADDING:
                record = record.advanced(self._now())
                self._records.write(record)
            lacking = self._route(record, again)
            if lacking:
                return lacking
            if record.phase is Phase.ROUTING:
                routed = record
                record = record.advanced(self._now(), self._idle(record))
                self._records.write(record)
                if {*record.sets, *record.left} != {*routed.sets, *routed.left}:
                    self._files.publish()
        assert record.confirmed_at is not None
        return ObservedRouting(record.generation, record.confirmed_at)

    def _take_on(self, record: RoutingRecord, again: bool) -> _Lacking | None:
        """Make the instances known that are wanted, and say where they are not yet or cannot be reached."""
        wanted = sets_of(record.wanted)
        seen = self._admin.hosts([one.deployment for one in wanted]) if wanted else {}
        missing = [one for one in wanted if one.name not in seen]
        if missing:
            self._files.publish(again)
            return _Lacking(f"Envoy does not take {missing[0].deployment} on; its log says why", is_refusal=True)
        for route in record.wanted.routes:
            if route.share != NONE and not any(host.reachable for host in seen[set_of(route).name]):
                return _Lacking(
                    f"no instance of {route.deployment} can be reached to get {route.share} of {record.placement}",
                    is_refusal=True,
                )
        return None

    def _route(self, record: RoutingRecord, again: bool) -> _Lacking | None:
        """Send new requests where they are wanted, and say where they are not yet or cannot be received."""
        listener = self._admin.listener(record.placement)
        if listener is None or listener.port != record.wanted.port:
            self._files.publish(again)
            if listener and listener.error:
                return _Lacking(
                    f"{record.placement} cannot be served on port {record.wanted.port}: {listener.error}",
                    is_refusal=True,
                )
            return _Lacking(f"Envoy does not serve {record.placement} yet", is_refusal=False)
        if generation_in(self._admin.routes_version(), record.placement) != record.serving_generation:
            self._files.publish(again)
            return _Lacking(f"Envoy has not taken the split of {record.placement} over yet", is_refusal=False)
        return None

    def _idle(self, record: RoutingRecord) -> frozenset[str]:
        """The sets that left and have nothing in flight."""
        if not record.left:
            return frozenset()
        seen = self._admin.hosts([one.deployment for one in record.left])
        busy = {name for name, hosts in seen.items() if any(host.requests_active for host in hosts)}
        return frozenset(one.name for one in record.left) - busy
