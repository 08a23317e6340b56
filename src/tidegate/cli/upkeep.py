"""Upkeep: what the server looks after besides runs and placements."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from tidegate.cli.server_parts import ENVOY, ServerParts
from tidegate.engine.agents import AgentActs
from tidegate.engine.alerts import AlertActs
from tidegate.engine.drills import DrillActs
from tidegate.engine.engine import Engine
from tidegate.engine.kept_results import KeptResults
from tidegate.engine.leasing import Leasing
from tidegate.engine.quarantines import QuarantineActs
from tidegate.engine.record import RecordActs
from tidegate.engine.rehearsal_schedule import RehearsalSchedule
from tidegate.engine.synthetic import wanted_traffic
from tidegate.engine.traffic_log import TrafficLog
from tidegate.engine.unused_artifacts import UnusedArtifacts
from tidegate.metrics.synthetic import SyntheticSender
from tidegate.model.event import Event, EventKind
from tidegate.store import events
from tidegate.store.database import StoreUnavailable
from tidegate.supervision.program import Program, ProgramState
from tidegate.supervision.supervisor import Supervisor, SupervisorAway, SupervisorFailed

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
SUPERVISE_EVERY_LOOKS = 4
SWEEP_EVERY_LOOKS = 15
CLEAR_EVERY_LOOKS = 3600
TRAFFIC_EVERY_LOOKS = 60


class Upkeep:
    """Keeps supervisord, Envoy and the local agent there, sweeps, ends steps whose agent is gone for good, and removes
    what is not kept any longer."""

    def __init__(
        self,
        parts: ServerParts,
        engine: Engine,
        leasing: Leasing,
        agents: AgentActs,
        quarantines: QuarantineActs,
        drills: DrillActs,
        rehearsals: RehearsalSchedule,
        alerts: AlertActs,
        record: RecordActs,
        programs: Sequence[Program],
        synthetic: SyntheticSender,
    ) -> None:
        self._parts = parts
        self._engine = engine
        self._leasing = leasing
        self._agents = agents
        self._quarantines = quarantines
        self._drills = drills
        self._rehearsals = rehearsals
        self._of_record = record
        self._programs = programs
        self._synthetic = synthetic
        self._traffic = TrafficLog(engine.parts, alerts)
        self._kept = KeptResults(parts.engine, parts.configuration.cache)
        self._unused = UnusedArtifacts(parts.engine, parts.artifacts)
        self._envoy_restarts: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="tidegate-upkeep", daemon=True)

    def bring_up(self) -> None:
        """Have supervisord and its programs run; orphans of an earlier one are ended first, and recorded."""
        self._parts.dead_man.somebody_is_here()
        ended = self._supervisor.ensure_running()
        for program in self._programs:
            self._supervisor.put(program)
        if ended:
            names = ", ".join(str(one) for one in ended)
            self._record(EventKind.ORPHANS_ENDED, f"ended what an earlier supervisor had left: {names}")
        self._rehearsals.recover()
        self._of_record.begin()
        self._record(EventKind.SERVER_STARTED, "the server started")
        self._engine.sweep()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop looking, for at most `timeout` seconds' wait."""
        self._stopping.set()
        self._thread.join(timeout)
        self._synthetic.stop()
        self._rehearsals.stop()

    def sign_record(self) -> None:
        """Sign what came since the last checkpoint: what is taken out while no server runs is missed as well."""
        try:
            self._of_record.sign()
        except StoreUnavailable as error:
            log.error("the record is not signed: %s", error)

    @property
    def _supervisor(self) -> Supervisor:
        return self._parts.supervisor

    def _keep_looking(self) -> None:
        looks = 0
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            looks += 1
            try:
                self._send_synthetic()
                self._of_record.notice()
                if looks % SUPERVISE_EVERY_LOOKS == 0:
                    self._supervise()
                if looks % SWEEP_EVERY_LOOKS == 0:
                    self._leasing.end_lost()
                    self._agents.forget_unseen()
                    self._quarantines.look_after()
                    self._drills.begin_due()
                    self._of_record.look_after()
                    self._engine.sweep()
                    self._supervisor.keep_logs_small()
                    self._rehearsals.look()
                if looks % TRAFFIC_EVERY_LOOKS == 0:
                    self._traffic.look()
                self._clear(looks)
            except (SupervisorAway, SupervisorFailed, StoreUnavailable) as error:
                log.error("upkeep: %s", error)
            except Exception:
                log.exception("upkeep failed; it is tried again")

    def _clear(self, looks: int) -> None:
        """Remove what is not kept any longer; a first time soon after the start."""
        given_up = self._kept.shrink() if looks % SWEEP_EVERY_LOOKS == 0 else 0
        if given_up or looks % CLEAR_EVERY_LOOKS == SWEEP_EVERY_LOOKS:
            self._unused.remove()
        if looks % CLEAR_EVERY_LOOKS == SWEEP_EVERY_LOOKS:
            self._quarantines.forget_old()
            self._traffic.forget_old()

    def _send_synthetic(self) -> None:
        with self._parts.engine.database.reading() as connection:
            wanted = wanted_traffic(connection)
        self._synthetic.set_wanted(wanted)

    def _supervise(self) -> None:
        try:
            envoy = self._supervisor.state(ENVOY)
        except SupervisorAway:
            envoy = self._revived(ENVOY)
        if self._envoy_restarts is not None and envoy.restarts > self._envoy_restarts:
            self._record(EventKind.ROUTER_RESTARTED, f"Envoy had ended and was started again: {envoy.description}")
            self._engine.sweep()
        self._envoy_restarts = envoy.restarts

    def _revived(self, program: str) -> ProgramState:
        """How a program is after supervisord was started again, which had died."""
        ended = self._supervisor.ensure_running()
        if ended:
            names = ", ".join(str(one) for one in ended)
            self._record(EventKind.ORPHANS_ENDED, f"supervisord had died; ended what it had left: {names}")
            self._engine.sweep()
        return self._supervisor.state(program)

    def _record(self, kind: EventKind, text: str) -> None:
        log.info("%s", text)
        with self._parts.engine.database.writing() as connection:
            events.append(connection, [Event(kind, text, {})], self._parts.engine.clock.now())
