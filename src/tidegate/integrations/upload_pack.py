"""Serving a bare repository read-only by git's smart HTTP protocol, one request at a time.

`git upload-pack` does it; see gitprotocol-http(5) and gitprotocol-v2(5). Nothing else of git can be reached here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

AT_ONCE = 8
TRANSFER_SECONDS = 900.0
SILENT_SECONDS = 120
"""After so long without a sign of life of the client, git gives up."""

SERVICE_LINE = b"001e# service=git-upload-pack\n0000"
"""What a client of an older protocol wants to read first: a packet line, and a flush."""

_VERSIONS = ("version=1", "version=2")
_NEWEST = "version=2"
_CONFIG = Path(__file__).with_name("gitconfig_serve")
_CHUNK_BYTES = 64 * 1024


class Busy(Exception):
    """So many transfers go on already that this one has to be asked for again."""


@dataclass(slots=True)
class Transfers:
    """Starts transfers, a limited number at a time; `patience` is how long, in seconds, one waits for its turn."""

    seconds: float = TRANSFER_SECONDS
    patience: float = 10.0
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def advertise(self, folder: Path, protocol: str | None) -> Transfer:
        """Say what there is. Raises Busy."""
        version = _known(protocol)
        head = b"" if version == _NEWEST else SERVICE_LINE
        return await self._start(folder, version, ["--advertise-refs"], head, b"")

    async def answer(self, folder: Path, protocol: str | None, request: bytes) -> Transfer:
        """Answer one request of a client. Raises Busy."""
        return await self._start(folder, _known(protocol), [], b"", request)

    async def _start(
        self, folder: Path, version: str | None, options: list[str], head: bytes, request: bytes
    ) -> Transfer:
        try:
            await asyncio.wait_for(self.slots.acquire(), self.patience)
        except TimeoutError:
            raise Busy(f"{AT_ONCE} transfers of commits go on already; ask again in a moment") from None
        try:
            process = await asyncio.create_subprocess_exec(
                *("git", "upload-pack", "--strict", f"--timeout={SILENT_SECONDS}", "--stateless-rpc", *options, "--"),
                str(folder),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_environment(version),
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            self.slots.release()
            raise
        return Transfer(self, process, head, request)


@dataclass(slots=True)
class Transfer:
    """A running transfer: iterate over its `chunks`, and `end` it in any case."""

    transfers: Transfers
    process: Process
    head: bytes
    request: bytes
    _ended: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The answer. One that takes too long is cut off, which the client notices: a pack has a checksum."""
        sending = asyncio.create_task(self._send())
        try:
            async with asyncio.timeout(self.transfers.seconds):
                if self.head:
                    yield self.head
                assert self.process.stdout is not None
                while chunk := await self.process.stdout.read(_CHUNK_BYTES):
                    yield chunk
        except TimeoutError:
            log.warning("a transfer of commits took longer than %g s and was cut off", self.transfers.seconds)
        finally:
            sending.cancel()
            self.end()

    def end(self) -> None:
        """Whatever is left of it is killed; once is enough."""
        if self._ended:
            return
        self._ended = True
        # its helpers are in its group
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.transfers.slots.release()

    async def _send(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(self.request)
            await self.process.stdin.drain()
        self.process.stdin.close()


def _known(protocol: str | None) -> str | None:
    """The newest version of the protocol that the client names (`version=2`, with others after a colon)."""
    named = (protocol or "").split(":")
    return max((one for one in named if one in _VERSIONS), default=None)


def _environment(version: str | None) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(_CONFIG),
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        **({"GIT_PROTOCOL": version} if version else {}),
    }
