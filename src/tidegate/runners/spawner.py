"""The process beside this one that forks the keepers of commands; see `keeper`."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class _Keeper:
    """A keeper that waits for its order at the other end of a socket."""

    pid: int
    end: socket.socket

    def take(self, message: bytes, fds: Sequence[int]) -> int:
        """Give it the order; its pid. Raises OSError where it is gone, which is a keeper that began nothing."""
        with self.end:
            socket.send_fds(self.end, [keeper.HEADER.pack(len(message))], fds)
            self.end.sendall(message)
        return self.pid


@dataclass(slots=True)
class Spawner:
    """The process is started with the first order, and anew when it is gone; it ends when this process ends.

    It is asked for the next keeper when one has its order, so that mostly nobody waits for either.
    """

    _process: subprocess.Popen[bytes] | None = None
    _channel: socket.socket | None = None
    _lock: Lock = field(default_factory=Lock)

    def spawn(self, order: Order, begin: int, status: int, output: int) -> int:
        """Give the pid of a keeper, which waits for `BEGIN` to come from the file `begin`. Raises NotSpawned."""
        message, fds = order.packed(), [begin, status, output]
        with self._lock:
            try:
                try:
                    return self._give(message, fds)
                except (BrokenPipeError, ConnectionResetError):
                    # the keeper was killed while it waited, or what forks them
                    self._end()
                    return self._give(message, fds)
            except OSError as error:
                self._end()
                raise NotSpawned(f"the process that starts commands failed: {error}") from error

    def _give(self, message: bytes, fds: Sequence[int]) -> int:
        channel = self._channel or self._begin()
        try:
            return _received(channel).take(message, fds)
        finally:
            # also where there was none to be had: else the next order would wait for what nobody was asked for
            with contextlib.suppress(OSError):
                channel.sendall(keeper.ASK)

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
        ours.sendall(keeper.ASK)
        return ours

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None


def _received(channel: socket.socket) -> _Keeper:
    """The keeper that was asked for. Raises NotSpawned where there is none, OSError where what forks them is gone."""
    header, fds, _, _ = socket.recv_fds(channel, keeper.HEADER.size, 1, socket.MSG_WAITALL)
    if len(header) < keeper.HEADER.size:
        raise ConnectionResetError("it ended")
    answer = _receive(channel, *keeper.HEADER.unpack(header)).decode()
    if not fds:
        raise NotSpawned(answer)
    return _Keeper(int(answer), socket.socket(fileno=fds[0]))


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
