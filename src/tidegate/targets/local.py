"""The local target: instances are processes of this machine, kept alive apart from the server."""

from __future__ import annotations

import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from tidegate.model.ids import DeploymentId, Digest, Generation
from tidegate.model.installation import (
    DesiredInstallation,
    Installation,
    InstallationState,
    Instance,
    InstanceState,
)
from tidegate.supervision.program import ABSENT, ProgramPhase, ProgramState
from tidegate.supervision.supervisor import Supervisor, SupervisorAway
from tidegate.targets import observation, programs
from tidegate.targets.folder import DeploymentFolder, DeploymentFolders, Record, claim, closed_to, let_read, make_own
from tidegate.targets.logs import last_lines
from tidegate.targets.target import TargetAway

_ASKED_AT_ONCE = 8

States = Mapping[str, ProgramState]


class Artifacts(Protocol):
    """Where the bytes of artifacts come from."""

    def copy_to(self, digest: Digest, path: Path) -> None:
        """Write the checked bytes to `path`, whole or not at all."""


class LocalTarget:
    """Installs deployments as processes on this machine, under the data folder `data`.

    Instances and `prepare` run as the user `run_as`, or as this process's own where that is None. A deployment's
    instance is healthy when a process of its own listens on its port and gives two good answers in a row.
    """

    def __init__(
        self,
        data: Path,
        supervisor: Supervisor,
        artifacts: Artifacts,
        run_as: int | None,
        now: Callable[[], datetime],
    ) -> None:
        self._folders = DeploymentFolders(data.resolve())
        self._supervisor = supervisor
        self._artifacts = artifacts
        self._run_as = run_as
        self._now = now
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._unhealthy_since: dict[tuple[DeploymentId, int], datetime] = {}
        self._secrets: dict[DeploymentId, tuple[str, ...]] = {}

    def apply(self, desired: DesiredInstallation, generation: Generation) -> Installation:
        """See `Target.apply`. Raises ValueError where a name in `desired` cannot be the name of a folder."""
        folder = self._folders.of(desired)
        with self._one_at_a_time(desired.placement), _away_when_unable():
            claim(folder.path.parent, generation)
            states = self._supervisor.states()
            if desired.instances == 0:
                return self._remove(folder, states)
            self._secrets[desired.deployment] = tuple(desired.secrets.values())
            folder.create(self._run_as)
            problem = _problem_with(desired) or self._closed(folder)
            if problem:
                return Installation(InstallationState.FAILED, detail=problem)
            record = Record.of(desired)
            folder.write_record(record)
            unready = self._install(desired, folder, states)
            if unready is not None:
                return unready
            extra = self._stop_extra(folder.deployment, record.instances, states)
            for index in range(desired.instances):
                program = programs.instance(desired, folder, index, self._run_as)
                if states.get(program.name, ABSENT).phase is not ProgramPhase.STOPPING:  # or this would wait for it
                    self._supervisor.put(program)
            return self._look(folder, record, extra)

    def observe(self, deployment: DeploymentId) -> Installation:
        """See `Target.observe`."""
        with _away_when_unable():
            states = self._supervisor.states()
            folder = self._folders.find(deployment)
            record = None if folder is None else folder.record()
            if folder is None or record is None:
                return Installation(InstallationState.ABSENT)
            for phase in record.phases if record.instances else ():
                unready = self._phase(folder, phase, states)
                if unready is not None:
                    return unready
            indexes = programs.instance_indexes(deployment, states)
            return self._look(folder, record, [index for index in indexes if index >= record.instances])

    def _install(self, desired: DesiredInstallation, folder: DeploymentFolder, states: States) -> Installation | None:
        """Bring the files to where they belong and prepare them; None once that is done."""
        if not folder.artifacts.exists():
            failure = self._copy_artifacts(desired, folder)
            if failure:
                return Installation(InstallationState.FAILED, detail=failure)
        phases = Record.of(desired).phases
        interrupted = [phase for phase in phases if _state(states, folder, phase).phase is ProgramPhase.STOPPED]
        if interrupted and not all(folder.is_done(phase) for phase in phases):
            for phase in phases:
                self._supervisor.remove(programs.phase_name(folder.deployment, phase))
            folder.clear_app()
            states = self._supervisor.states()
        if "checkout" not in phases:
            make_own(folder.app, self._run_as)
        for phase in phases:
            unready = self._phase(folder, phase, states)
            if unready is not None:
                if _state(states, folder, phase) is ABSENT:
                    self._supervisor.put(programs.phase(desired, folder, phase, self._run_as))
                return unready
            if not folder.is_done(phase):
                folder.mark_done(phase)
                self._supervisor.remove(programs.phase_name(folder.deployment, phase))
        return None

    def _phase(self, folder: DeploymentFolder, phase: str, states: States) -> Installation | None:
        """How far a phase is, from what is seen; None once it has succeeded."""
        state = _state(states, folder, phase)
        if folder.is_done(phase) or (state.phase is ProgramPhase.EXITED and state.exit_code == 0):
            return None
        if state.phase in (ProgramPhase.EXITED, ProgramPhase.FATAL, ProgramPhase.BACKOFF):
            said = self._said(folder, phase)
            return Installation(InstallationState.FAILED, detail=f"{phase} failed: {state.description}{said}")
        return Installation(InstallationState.PREPARING, detail=f"{phase} has not ended; log: {folder.log(phase)}")

    def _copy_artifacts(self, desired: DesiredInstallation, folder: DeploymentFolder) -> str:
        """Copy the artifacts, all or none; what went wrong, or nothing."""
        new = folder.path / "artifacts.new"
        if new.exists():
            shutil.rmtree(new)  # what a server that was killed meanwhile had copied
        new.mkdir()
        for name, digest in desired.artifacts.items():
            try:
                self._artifacts.copy_to(digest, new / name)
            except OSError:
                raise
            except Exception as error:  # a store has its own words for what is missing or damaged
                return f"the artifact {name} ({digest}) could not be copied: {error}"
            let_read(new / name, self._run_as)
        let_read(new, self._run_as)
        new.rename(folder.artifacts)
        return ""

    def _stop_extra(self, deployment: DeploymentId, wanted: int, states: States) -> list[int]:
        """Stop the instances from index `wanted` on, the highest first; those that still run."""
        stopping = []
        for index in programs.instance_indexes(deployment, states):
            if index >= wanted:
                self._unhealthy_since.pop((deployment, index), None)
                if not self._supervisor.remove(programs.instance_name(deployment, index), wait=False):
                    stopping.append(index)
        return stopping

    def _remove(self, folder: DeploymentFolder, states: States) -> Installation:
        record = folder.record()
        if record is not None and record.instances:
            folder.write_record(record.without_instances())
        stopping = self._stop_extra(folder.deployment, 0, states)
        gone = [
            self._supervisor.remove(programs.phase_name(folder.deployment, phase), wait=False)
            for phase in ("checkout", "prepare")
            if programs.phase_name(folder.deployment, phase) in states
        ]
        if stopping or not all(gone):
            return Installation(InstallationState.STOPPING, detail=f"{len(stopping)} instances are ending")
        folder.remove()
        self._secrets.pop(folder.deployment, None)
        return Installation(InstallationState.ABSENT)

    def _look(self, folder: DeploymentFolder, record: Record, extra: Sequence[int]) -> Installation:
        """Ask all instances that should be, and say what their states amount to."""
        states = self._supervisor.states()

        def look(index: int) -> Instance:
            program = states.get(programs.instance_name(folder.deployment, index), ABSENT)
            sight = observation.see(program, record.ports[index], record.health_path)
            return self._judge(folder.deployment, index, record, sight)

        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            instances = tuple(pool.map(look, range(record.instances)))
        failed = next((one for one in instances if one.state is InstanceState.FAILED), None)
        if failed is not None:
            said = self._said(folder, f"instance-{failed.index}")
            detail = f"instance {failed.index} on port {failed.endpoint.port}: {failed.detail}{said}"
            return Installation(InstallationState.FAILED, instances, detail)
        if extra or not record.instances:
            listed = ", ".join(str(index) for index in extra)
            return Installation(InstallationState.STOPPING, instances, f"instances that are ending: {listed}")
        if all(one.state is InstanceState.HEALTHY for one in instances):
            return Installation(InstallationState.READY, instances)
        waiting = "; ".join(f"instance {one.index}: {one.detail}" for one in instances if one.detail)
        return Installation(InstallationState.STARTING, instances, waiting)

    def _judge(self, deployment: DeploymentId, index: int, record: Record, sight: observation.Sight) -> Instance:
        now, key = self._now(), (deployment, index)
        since = self._unhealthy_since.get(key)
        within = timedelta(seconds=record.within_seconds)
        instance = observation.judge(index, record.ports[index], sight, now, within, since or now)
        if instance.state is InstanceState.HEALTHY:
            self._unhealthy_since.pop(key, None)
        else:
            self._unhealthy_since.setdefault(key, now)
        return instance

    def _said(self, folder: DeploymentFolder, log: str) -> str:
        """The end of a log, to be appended to a sentence: its last lines where no secret can be in them."""
        path = folder.log(log)
        record = folder.record()
        secrets = self._secrets.get(folder.deployment)
        if secrets is None and (record is None or record.has_secrets):
            return f"; log: {path}"
        lines = last_lines(path, secrets or ())
        return f"; last lines: {' | '.join(lines)}; log: {path}" if lines else f"; it wrote nothing to {path}"

    def _closed(self, folder: DeploymentFolder) -> str:
        """What keeps the instances' user out of its folder; nothing where it may enter."""
        closed = None if self._run_as is None else closed_to(self._run_as, folder.home)
        if closed is None:
            return ""
        return (
            f"instances run as user {self._run_as}, who may not enter {closed}: chmod o+x {closed}, or use a data "
            "folder elsewhere"
        )

    @contextmanager
    def _one_at_a_time(self, placement: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks[placement]
        with lock:
            yield


def _state(states: States, folder: DeploymentFolder, phase: str) -> ProgramState:
    return states.get(programs.phase_name(folder.deployment, phase), ABSENT)


def _problem_with(desired: DesiredInstallation) -> str:
    """What makes the installation impossible; nothing where it is possible."""
    for name in desired.artifacts:
        if name in ("", ".", "..") or set(name) & set("/\\\0"):
            return f"the artifact's file name {name!r} would lead out of the deployment's folder; rename the file"
    if len(desired.ports) < desired.instances:
        return f"{desired.instances} instances need as many ports, but {len(desired.ports)} are reserved"
    missing = sorted(set(desired.runtime.secrets) - set(desired.secrets))
    if missing:
        return f"secrets without a value: {', '.join(missing)}; set them with `tidegate secret set`"
    if desired.source is not None and urlsplit(desired.source).password:
        return "the repository's address holds a password, which others could see; use a credential instead"
    return ""


@contextmanager
def _away_when_unable() -> Iterator[None]:
    """Raise TargetAway where supervisord does not answer or the data folder cannot be written."""
    try:
        yield
    except SupervisorAway as error:
        raise TargetAway(f"the local target cannot be reached: {error}") from error
    except OSError as error:
        raise TargetAway(f"the local target cannot use its data folder: {error}") from error
