"""A step's command in a container of Docker or Podman.

As with a process, a tiny shell stands between the agent and the command, and speaks through files of the attempt's
folder: so the command's output and end are on disk whether or not an agent, or the engine, is there to look. The
container's name and labels say whose it is, so that any later agent finds, ends and removes it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tidegate.model.lease import PolledStep, ProcessState, StepCommand, StepHandle
from tidegate.runners import container_spec as spec
from tidegate.runners import images
from tidegate.runners.attempt_folder import (
    emptied,
    exit_status,
    locked,
    mark_of,
    read_lines,
    write_script,
    write_whole,
)
from tidegate.runners.container_spec import ContainerSpec, name_of, step_container
from tidegate.runners.engine import Engine, EngineAway, EngineRefused, NoEngine
from tidegate.runners.identity import boot_id
from tidegate.runners.runner import AttemptTaken, StepNotStarted, StepWillNotEnd

_log = logging.getLogger(__name__)

HANDLE = "container.json"
"""The file by which a folder's command is known to be a container's."""

_OUTPUT_HELD = timedelta(milliseconds=500)
"""How long after its exit a command's left-over children may keep the output open before it counts as ended."""

_BEGIN_SECONDS = 10.0
_FORCE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_LOOK_SECONDS = 1.0
"""How long an answer of the engine, that a container runs, is believed."""


@dataclass(frozen=True)
class ContainerRunner:
    """Runs commands in containers.

    `run_as` is the uid and gid that they have inside, None for the agent's own; it needs no entry in the image's user
    database. `owner` names the agent (its folder) on the containers, so that it removes none but its own.
    """

    owner: str
    run_as: int | None = None
    engine: Engine = field(default_factory=Engine)
    most_processes: int = 4096
    _seen_alive: dict[str, float] = field(default_factory=dict, repr=False)

    def digest_of(self, image: str, check_in: Callable[[], None] = lambda: None) -> str:
        """The digest of an image, which is pulled where it is missing; `check_in` is called meanwhile and may raise.

        Raises StepNotStarted, saying which image, what the engine said and what to do.
        """
        try:
            return images.bring(self.engine, image, check_in).digest
        except EngineAway as error:
            raise StepNotStarted(str(error)) from error

    def start(self, command: StepCommand) -> StepHandle:
        """Start the command; see `Runner.start`. Its image is pulled where nobody did that before."""
        folder = Path(command.folder)
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        with locked(folder):
            if self._settle(command.folder) is not None:
                raise AttemptTaken(f"a command was started in {folder} before; it is not started twice")
            _check(command)
            try:
                made = self._make(command)
            except (EngineAway, EngineRefused) as error:
                raise StepNotStarted(f"the container could not be made: {error}") from error
            return self._begin(command, made)

    def find(self, folder: str) -> StepHandle | None:
        """See `Runner.find`. A container that an agent made and never started is removed by this."""
        handle = _read_handle(folder)
        if handle is None or handle.boot != boot_id() or _progress(folder):
            return handle
        try:
            with locked(Path(folder)):
                return self._settle(folder)
        except AttemptTaken:
            return handle  # it is being started at this moment

    def poll(self, handle: StepHandle) -> PolledStep:
        """See `Runner.poll`. While the engine is away it runs, because nobody can prove otherwise."""
        return self._poll(handle, believed_for=0.0)

    def wait(self, handle: StepHandle, seconds: float) -> PolledStep:
        """See `Runner.wait`. The shell's files are read often, the engine is asked seldom."""
        deadline = time.monotonic() + seconds
        while True:
            polled = self._poll(handle, _LOOK_SECONDS)
            left = deadline - time.monotonic()
            if polled.state is not ProcessState.RUNNING or left <= 0:
                return polled
            time.sleep(min(left, _POLL_SECONDS))

    def cancel(self, handle: StepHandle, grace: timedelta) -> None:
        """See `Runner.cancel`. The container is removed, and with it all that it wrote outside of the mounts."""
        if handle.boot != boot_id():
            return
        name = name_of(mark_of(handle.folder))
        gentle_until = time.monotonic() + grace.total_seconds()
        force_until = gentle_until + _FORCE_SECONDS
        said = "it is still there"
        while True:
            try:
                if self.engine.look(name) is None:
                    self._seen_alive.pop(name, None)
                    return
                self._end_gently(handle, name, gentle_until)
                self.engine.end(name)
                continue_at = _POLL_SECONDS
            except (EngineAway, EngineRefused) as error:
                said, continue_at = str(error), _LOOK_SECONDS / 4
            if time.monotonic() > force_until:
                raise StepWillNotEnd(f"the container {name} could not be ended for {_FORCE_SECONDS:g} s: {said}")
            time.sleep(continue_at)

    def remove_all_but(self, folders: Iterable[str]) -> None:
        """Remove what earlier agents with this owner left in the engine, sidecars and networks too.

        Kept is what belongs to the commands of these folders, as far as the machine was not started again since.
        Where no engine answers nothing is done.
        """
        kept = {mark_of(folder) for folder in folders}
        try:
            for one in self.engine.containers({spec.OWNER: self.owner}):
                if one.labels.get(spec.ATTEMPT) not in kept or one.labels.get(spec.BOOT) != boot_id():
                    _log.info("container %s was left by an earlier agent and is removed", one.name)
                    self.engine.end(one.name)
            for network, labels in self.engine.networks({spec.OWNER: self.owner}).items():
                if labels.get(spec.ATTEMPT) not in kept or labels.get(spec.BOOT) != boot_id():
                    self.engine.remove_network(network)
        except NoEngine:
            return
        except (EngineAway, EngineRefused) as error:
            _log.warning("what earlier steps left in the container engine could not be removed: %s", error)

    def _make(self, command: StepCommand) -> ContainerSpec:
        """Bring the image and write the files; gives what the container is to be."""
        assert command.image is not None  # see `_check`
        image = images.bring(self.engine, command.image)
        mark = mark_of(command.folder)
        if not self.engine.remove(name_of(mark)):
            raise AttemptTaken(f"the container {name_of(mark)} was started before; it is not started twice")
        user = self._user()
        owner = None if user == _ROOTLESS else self.run_as
        write_script(Path(command.folder), command.script, owner)
        for name in (spec.PROGRESS, spec.EXIT, spec.OUTPUT):
            with emptied(Path(command.folder) / name) as file:
                if owner is not None:
                    os.chown(file, owner, owner)
        labels = {spec.OWNER: self.owner, spec.BOOT: boot_id()}
        return step_container(command, mark, image.id, labels, user, self.most_processes)

    def _begin(self, command: StepCommand, made: ContainerSpec) -> StepHandle:
        folder = Path(command.folder)
        handle = StepHandle(command.folder, 0, 0.0, boot_id())
        # on disk before there is a container: whoever comes next knows where to look for one
        write_whole(folder / HANDLE, asdict(handle))
        try:
            self.engine.create(made)
            self.engine.start(made.name)
            self._wait_for_begin(command.folder, made.name)
        except (EngineAway, EngineRefused) as error:
            return self._undo(handle, command, made.name, str(error))
        return handle

    def _wait_for_begin(self, folder: str, name: str) -> None:
        """Wait until the shell says that the command begins. Raises EngineRefused where the container ends before."""
        deadline = time.monotonic() + _BEGIN_SECONDS
        while not _progress(folder) and time.monotonic() < deadline:
            seen = self.engine.look(name)
            if (seen is None or not seen.is_alive) and not _progress(folder):
                said = self.engine.log_end(name, 3).strip()
                raise EngineRefused(f"it ended before the command began: {said or 'it said nothing'}")
            time.sleep(_POLL_SECONDS / 4)

    def _undo(self, handle: StepHandle, command: StepCommand, name: str, said: str) -> StepHandle:
        """Raise StepNotStarted when it is proven that nothing ran; otherwise the command counts as started."""
        try:
            self.engine.end(name)
        except (EngineAway, EngineRefused):
            return handle
        if _progress(handle.folder):
            return handle
        (Path(handle.folder) / HANDLE).unlink()
        needs = "; the image of a step needs /bin/sh, cat and sleep" if "/bin/sh" in said else ""
        raise StepNotStarted(f"the container of the image {command.image} could not be started: {said}{needs}")

    def _settle(self, folder: str) -> StepHandle | None:
        """The handle where the command was, or may have been, started. What was not, cannot start after this."""
        handle = _read_handle(folder)
        if handle is None or handle.boot != boot_id() or _progress(folder):
            return handle
        name = name_of(mark_of(folder))
        try:
            is_gone = self.engine.remove(name)
        except (EngineAway, EngineRefused):
            return handle
        return handle if not is_gone or _progress(folder) else None

    def _poll(self, handle: StepHandle, believed_for: float) -> PolledStep:
        ended = exit_status(handle.folder)
        if handle.boot != boot_id():
            return ended or PolledStep(ProcessState.GONE)
        if ended is not None:
            assert ended.ended_at is not None
            waits_for_output = spec.CARRIED not in _progress(handle.folder)
            waits = waits_for_output and datetime.now(UTC) - ended.ended_at < _OUTPUT_HELD
            return PolledStep(ProcessState.RUNNING) if waits else ended
        if self._is_alive(name_of(mark_of(handle.folder)), believed_for):
            return PolledStep(ProcessState.RUNNING)
        # the status may have been written between the two looks
        return exit_status(handle.folder) or PolledStep(ProcessState.GONE)

    def _is_alive(self, name: str, believed_for: float) -> bool:
        if time.monotonic() - self._seen_alive.get(name, float("-inf")) < believed_for:
            return True
        try:
            seen = self.engine.look(name)
        except (EngineAway, EngineRefused):
            return True
        if seen is None or not seen.is_alive:
            self._seen_alive.pop(name, None)
            return False
        self._seen_alive[name] = time.monotonic()
        return True

    def _end_gently(self, handle: StepHandle, name: str, until: float) -> None:
        """Ask everything in the container to end, and wait for that."""
        if time.monotonic() >= until or spec.EMPTY in _progress(handle.folder):
            return
        seen = self.engine.look(name)
        try:
            if seen is not None and seen.state == "paused":
                self.engine.resume(name)
            self.engine.launch(name, spec.SIGNAL_ALL, self._user())
        except EngineRefused as error:
            # it has ended by itself, or has no room for one more process
            _log.debug("container %s could not be asked to end: %s", name, error)
        while time.monotonic() < until and spec.EMPTY not in _progress(handle.folder):
            if not self._is_alive(name, _LOOK_SECONDS / 4):
                return
            time.sleep(_POLL_SECONDS)

    def _user(self) -> str:
        if self.engine.is_rootless:
            return _ROOTLESS
        return f"{os.geteuid()}:{os.getegid()}" if self.run_as is None else f"{self.run_as}:{self.run_as}"


_ROOTLESS = "0:0"
"""Inside of a rootless engine's containers the agent's own user is called root; it is nobody special outside."""


def is_of_container(folder: str) -> bool:
    """Whether the command of this folder is, or was to be, a container's."""
    return os.path.exists(f"{folder}/{HANDLE}")


def _read_handle(folder: str) -> StepHandle | None:
    """The handle on disk. One that cannot be read (a power cut) is of another boot: what it was, is gone."""
    try:
        boot = json.loads((Path(folder) / HANDLE).read_text())["boot"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        boot = "unreadable"
    return StepHandle(folder, 0, 0.0, str(boot))


def _progress(folder: str) -> list[str]:
    return read_lines(Path(folder) / spec.PROGRESS).split()


def _check(command: StepCommand) -> None:
    """Raise StepNotStarted where an engine would do something else than mount what is there."""
    if command.image is None:
        raise StepNotStarted("the command names no image to run in")
    if not Path(command.cwd).is_dir():
        raise StepNotStarted(f"the command could not be started in {command.cwd}: there is no such folder")
    if not any(Path(command.cwd).is_relative_to(one.path) for one in command.mounts):
        raise StepNotStarted(f"the command could not be started in {command.cwd}: its container does not have it")
    for path in (command.folder, *(one.path for one in command.mounts)):
        if not os.path.exists(path):
            raise StepNotStarted(f"{path} cannot be given to the container: it is not there")
        if ":" in path:
            raise StepNotStarted(f"{path} cannot be given to a container, because its name has a colon")
