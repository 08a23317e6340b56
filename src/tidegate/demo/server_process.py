"""The demo's server: a real one, in a process of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

DEMO_USER = "demo user"
START_WITHIN_SECONDS = 60.0
CONFIGURATION = "batch: 2s\n"


class DemoFailed(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A running server and its data folder."""

    data: Path
    address: str
    process: subprocess.Popen[bytes]

    def client(self, *, demo_user: bool = False) -> httpx.Client:
        """A client with the administrator's token, or the demo user's."""
        file = _demo_user_file(self.data) if demo_user else self.data / "admin-token"
        token = file.read_text().strip()
        return httpx.Client(base_url=self.address, headers={"authorization": f"Bearer {token}"}, timeout=30)

    def stop_all(self) -> None:
        """Stop the server and everything that it started, services included."""
        tidegate = [sys.executable, "-m", "tidegate.cli.main"]
        done = subprocess.run([*tidegate, "down", "--data", str(self.data)], capture_output=True, text=True)
        self.process.wait(30)
        if done.returncode:
            raise DemoFailed(f"stopping failed: {done.stderr or done.stdout}")


def start_server(data: Path) -> DemoServer:
    """Start a server on a data folder; a new one gets the demo's short batches. Raises DemoFailed."""
    data.mkdir(parents=True, exist_ok=True)
    configuration = data / "tidegate-server.yaml"
    if not configuration.exists():
        configuration.write_text(CONFIGURATION)
    _add_demo_user(data)
    known = data / "server.json"
    known.unlink(missing_ok=True)
    with (data / "demo-server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tidegate.cli.main", "server", "--data", str(data), "--port", "0"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    give_up_at = time.monotonic() + START_WITHIN_SECONDS
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            break
        if known.exists() and (address := _ready_address(known)):
            return DemoServer(data, address, process)
        time.sleep(0.05)
    process.terminate()
    last = (data / "demo-server.log").read_text(errors="replace").strip().splitlines()[-5:]
    raise DemoFailed("the server did not start: " + " / ".join(last))


def _ready_address(known: Path) -> str | None:
    try:
        address = str(json.loads(known.read_text())["address"])
        return address if httpx.get(f"{address}/readyz", timeout=2).status_code == httpx.codes.OK else None
    except (ValueError, KeyError, OSError, httpx.HTTPError):
        return None


def _demo_user_file(data: Path) -> Path:
    return data / "people" / f"{DEMO_USER}.token"


def _add_demo_user(data: Path) -> None:
    file = _demo_user_file(data)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
