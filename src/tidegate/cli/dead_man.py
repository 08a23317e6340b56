"""The dead man of a data folder: its notes, and the thread of the local agent's process that obeys them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate.model.figures import Counters
    from tidegate.model.ids import DeploymentId, PlacementId
    from tidegate.routers.dead_man_notes import DeadManNotes
    from tidegate.routers.dead_man_watch import DeadManWatch

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0


def dead_mans_notes(data: Path) -> DeadManNotes:
    """The notes of the data folder's server."""
    from tidegate.routers.dead_man_notes import DeadManNotes, MachineTime
    from tidegate.runners.identity import boot_id

    return DeadManNotes(data / "router", MachineTime(boot_id(), time.monotonic))


def keep_watch(data: Path) -> None:
    """Obey the notes for as long as this process lives, in a thread of its own."""
    watch = _watch(data)
    threading.Thread(target=_keep_looking, args=(watch,), name="dead-man", daemon=True).start()


def _watch(data: Path) -> DeadManWatch:
    from tidegate.metrics.envoy import EnvoyMetrics
    from tidegate.metrics.source import SourceFailed
    from tidegate.routers.dead_man_watch import DeadManWatch
    from tidegate.routers.envoy import EnvoyRouter
    from tidegate.routers.envoy_admin import EnvoyAdmin
    from tidegate.routers.envoy_process import admin_socket_path

    admin = EnvoyAdmin(admin_socket_path(data / "run"))
    metrics = EnvoyMetrics(admin)

    def _now() -> datetime:
        return datetime.now(UTC)

    def _count(placement: PlacementId, deployments: Collection[DeploymentId]) -> Mapping[DeploymentId, Counters] | None:
        try:
            return metrics.counters(placement, deployments)
        except SourceFailed as error:
            log.warning("what was counted until now is not known: %s", error)
            return None

    return DeadManWatch(dead_mans_notes(data), EnvoyRouter(data / "router", admin, _now), _count, _now)


def _keep_looking(watch: DeadManWatch) -> None:
    while True:
        try:
            watch.look()
        except Exception:
            log.exception("the dead man cannot look at the notes; he looks again")
        time.sleep(LOOK_EVERY_SECONDS)
