"""Runs an instance of a service behind a small HTTP proxy that puts a fault in, so that any service can be rehearsed.

`python faulty.py --fault errors --in production --health /healthz --quick 1 -- COMMAND` listens on $PORT and runs the
service's own command with another $PORT behind it. Good versions are run by it as well, without a fault: what the proxy
costs is then the same for both. Only the standard library: it is run as a file, by the user that services run as.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time

MARK = b"x-tidegate-rehearsed"
"""The response header of a request that was harmed on purpose; its value says how."""

ERRORS = 0.05
SLOW_SECONDS = 0.25
CRASH_AFTER_SECONDS = 2.0
LEAK_ERRORS_A_MINUTE = 0.01
LEAK_SECONDS_A_MINUTE = 0.05
LEAK_FELT_SECONDS = 0.05
"""A leak is harm from here on: what is less than that nobody feels."""
LARGEST_HEAD = 256 * 1024
PIECE = 64 * 1024


class Fault:
    """What happens to requests; it begins with the first one."""

    def __init__(self, name: str, quick: float) -> None:
        self.name = name
        self._quick = quick
        self._began: float | None = None

    def harm(self) -> tuple[bool, float]:
        """Whether a request fails, and how many seconds it takes more."""
        now = time.monotonic()
        self._began = self._began or now
        minutes = (now - self._began) * self._quick / 60
        if self.name == "errors":
            return random.random() < ERRORS, 0.0
        if self.name == "slow":
            return False, SLOW_SECONDS
        if self.name == "leak":
            return random.random() < LEAK_ERRORS_A_MINUTE * minutes, LEAK_SECONDS_A_MINUTE * minutes
        if self.name == "crash" and now - self._began > CRASH_AFTER_SECONDS:
            crash()
        return False, 0.0


def crash() -> None:
    """End as a process does that was killed, with all that it began."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


class Proxy:
    """Hands requests on to a port of this machine, one connection a request."""

    def __init__(self, inner: int, fault: Fault, health: str) -> None:
        self._inner = inner
        self._fault = fault
        self._health = health

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(head, reader, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._asks_for_health(head):
            fails, more = self._fault.name == "unhealthy", 0.0
        else:
            fails, more = self._fault.harm()
        if more:
            await asyncio.sleep(more)
        if fails:
            await _refuse(writer, b"500 Internal Server Error", self._fault.name.encode())
            return
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._inner, limit=LARGEST_HEAD)
        except OSError:
            await _refuse(writer, b"502 Bad Gateway", None)
            return
        inner_writer.write(_alone(head))
        sending = asyncio.create_task(_copy(reader, inner_writer))
        mark = self._fault.name.encode() if more >= LEAK_FELT_SECONDS else None
        with contextlib.suppress(asyncio.IncompleteReadError):
            await _hand_back(inner_reader, writer, mark)
        sending.cancel()
        with contextlib.suppress(OSError):
            inner_writer.close()

    def _asks_for_health(self, head: bytes) -> bool:
        words = head.split(b"\r\n", 1)[0].split()
        return len(words) == 3 and words[1].split(b"?")[0].decode("latin-1") == self._health


async def _refuse(writer: asyncio.StreamWriter, status: bytes, mark: bytes | None) -> None:
    marked = b"%s: %s\r\n" % (MARK, mark) if mark else b""
    writer.write(b"HTTP/1.1 %s\r\n%scontent-length: 0\r\nconnection: close\r\n\r\n" % (status, marked))
    await writer.drain()


async def _hand_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mark: bytes | None) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        if status.startswith(b"1") and status != b"101":
            writer.write(head)
            continue
        writer.write(_alone(head, mark))
        break
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()


def _alone(head: bytes, mark: bytes | None = None) -> bytes:
    """The head of a message after which the connection is closed, unless it becomes another protocol's."""
    first, *lines = head[:-4].split(b"\r\n")
    added = [b"%s: %s" % (MARK, mark)] if mark else []
    if not any(line.lower().startswith(b"upgrade:") for line in lines):
        lines = [line for line in lines if not line.lower().startswith((b"connection:", b"keep-alive:"))]
        added.append(b"connection: close")
    return b"\r\n".join((first, *lines, *added)) + b"\r\n\r\n"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def run(fault: Fault, health: str, command: str) -> int:
    """Run the service until it ends, and the proxy before it; its exit status."""
    inner = _free_port()
    child = await asyncio.create_subprocess_exec("sh", "-eu", "-c", command, env={**os.environ, "PORT": str(inner)})
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, child.send_signal, number)
    proxy = Proxy(inner, fault, health)
    async with await asyncio.start_server(
        proxy.serve, "127.0.0.1", int(os.environ["PORT"]), limit=LARGEST_HEAD, backlog=512
    ):
        ended = await child.wait()
    return ended if ended >= 0 else 128 - ended


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", default="none")
    parser.add_argument("--in", dest="where", default="")
    parser.add_argument("--health", default="/")
    parser.add_argument("--quick", type=float, default=1.0)
    parser.add_argument("command")
    given = parser.parse_args()
    here = os.environ.get("TIDEGATE_ENVIRONMENT", "") == given.where
    fault = Fault(given.fault if here else "none", given.quick)
    sys.exit(asyncio.run(run(fault, given.health, given.command)))


if __name__ == "__main__":
    main()
