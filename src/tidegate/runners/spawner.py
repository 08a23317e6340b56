"""The process beside this one that forks the keepers of commands; see `keeper`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from tidegate.runners import keeper

_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""All that this Python may need of its environment to be started once more."""

_PATIENCE_SECONDS = 60.0
"""It answers within a millisecond, unless it was stopped or the machine is out of memory."""


class NotSpawned(Exception):
    """There is no keeper; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a keeper is asked for: to run `argv` in `cwd`, under that uid and gid where they are to be changed."""

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    run_as: int | None

    def packed(self) -> bytes:
        """As the keeper reads it. The bytes are this process's: the other may take text for something else.

        Raises NotSpawned where there is what no command line and no environment can hold.
        """
        run_as = "" if self.run_as is None else str(self.run_as)
        env = [f"{name}={value}" for name, value in self.env.items()]
        parts = [self.cwd, run_as, str(len(self.argv)), *self.argv, *env]
        if any("\0" in part for part in parts) or any(not name or "=" in name for name in self.env):
            raise NotSpawned("a null character, or a variable without a proper name")
        try:
            return os.fsencode("\0".join(parts))
        except UnicodeError as error:
            raise NotSpawned(str(error)) from error


@dataclass(slots=True)
class Spawner:
    """The process is started with the first order, and anew when it is gone; it ends when this process ends."""

    _process: subprocess.Popen[bytes] | None = None
    _channel: socket.socket | None = None
    _lock: Lock = field(default_factory=Lock)

    def spawn(
        self, order: Order, begin: int, status: int, output: int, meanwhile: Callable[[], object] = lambda: None
    ) -> int:
        """Give the pid of a new keeper, which waits for `BEGIN` to come from the file `begin`. Raises NotSpawned.

        What is to be done before that and does not need the pid is done `meanwhile`.
        """
        message = order.packed()
        with self._lock:
            with self._ended_where_it_fails():
                channel = self._send(message, [begin, status, output])
            try:
                meanwhile()
            finally:
                with self._ended_where_it_fails():
                    answer = _receive(channel, *keeper.HEADER.unpack(_receive(channel, keeper.HEADER.size))).decode()
        if not answer.isdecimal():
            raise NotSpawned(answer)
        return int(answer)

    @contextmanager
    def _ended_where_it_fails(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._end()
            raise NotSpawned(f"the process that starts commands failed: {error}") from error

    def _send(self, message: bytes, fds: list[int]) -> socket.socket:
        try:
            return _send(self._channel or self._begin(), message, fds)
        except (BrokenPipeError, ConnectionResetError):
            # it was killed: what it was not sent whole it has not begun
            self._end()
            return _send(self._begin(), message, fds)

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE_SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _LIBRARIES if name in os.environ},
                cwd="/",
                # a signal to the agent's whole group is not for it
                start_new_session=True,
            )
        self._channel = ours
        return ours

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None


def _send(channel: socket.socket, message: bytes, fds: list[int]) -> socket.socket:
    socket.send_fds(channel, [keeper.HEADER.pack(len(message))], fds)
    channel.sendall(message)
    return channel


def _receive(channel: socket.socket, length: int) -> bytes:
    message = b""
    while len(message) < length:
        chunk = channel.recv(length - len(message))
        if not chunk:
            raise ConnectionResetError("it ended")
        message += chunk
    return message


_SPAWNERS: dict[int, Spawner] = {}


def spawner() -> Spawner:
    """The one of this process; a process that was forked from it needs its own."""
    return _SPAWNERS.setdefault(os.getpid(), Spawner())
