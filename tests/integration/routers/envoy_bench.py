"""A real Envoy in a folder of its own, started and ended by tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidegate.routers.envoy import EnvoyRouter
from tidegate.routers.envoy_admin import EnvoyAdmin, EnvoyAway
from tidegate.routers.envoy_process import EnvoyMissing, envoy_binary, envoy_command, prepare_envoy

LIMIT_SECONDS = 15.0


def until(condition: Callable[[], object], seconds: float = LIMIT_SECONDS) -> None:
    """Look again and again until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        pause.wait(0.005)


class EnvoyBench:
    """An Envoy, its files in `folder`/router, and routers that tell it what to do."""

    def __init__(self, folder: Path, binary: Path) -> None:
        self.folder = folder
        self._binary = binary
        self.files = folder / "router"
        self.socket = folder / "envoy-admin.sock"
        self.admin = EnvoyAdmin(self.socket)
        self.router = self.another_router()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def another_router(self) -> EnvoyRouter:
        """A router object of its own, as another process has one."""
        return EnvoyRouter(self.files, EnvoyAdmin(self.socket), lambda: datetime.now(UTC))

    def start(self) -> None:
        """Start Envoy on what the folder holds, and wait until it serves that."""
        prepare_envoy(self.files)
        command = envoy_command(self._binary, self.files, self.socket)
        with (self.folder / "envoy.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._is_live)

    def stop_as_if_it_hung(self) -> None:
        """Freeze Envoy; `go_on` thaws it."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End Envoy without a word."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _is_live(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self.folder / "envoy.log").read_text()
        try:
            return self.admin.is_live()
        except EnvoyAway:
            return False


@contextmanager
def running_envoy() -> Iterator[EnvoyBench]:
    """A running Envoy for one test."""
    try:
        binary = envoy_binary()
    except EnvoyMissing as error:
        if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    bench = EnvoyBench(Path(tempfile.mkdtemp(dir="/tmp")), binary)
    try:
        bench.start()
        yield bench
    finally:
        bench.kill()
        shutil.rmtree(bench.folder)
