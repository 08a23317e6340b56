"""The demo's server: a real one, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

DEMO_USER = "demo-user"
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

    def client(self) -> httpx.Client:
        """A client with the administrator's token."""
        return self._client((self.data / "admin-token").read_text().strip())

    def demo_user(self) -> httpx.Client:
        """A client of the account that approves where no person is there to do it. Raises DemoFailed."""
        with self.client() as admin:
            made = admin.post("/api/v1/accounts", json={"name": DEMO_USER, "full_name": "the demo's user"})
            if made.status_code != httpx.codes.CONFLICT:  # a data folder that was used before has it already
                _check(made)
            _check(admin.post(f"/api/v1/accounts/{DEMO_USER}/grants", json={"role": "approver"}))
            token = {"name": "demo", "account": DEMO_USER, "valid_days": 1}
            return self._client(str(_check(admin.post("/api/v1/tokens", json=token)).json()["text"]))

    def _client(self, token: str) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers={"authorization": f"Bearer {token}"}, timeout=30)

    def stop_all(self) -> None:
        """Stop the server and everything that it started, services included."""
        tidegate = [sys.executable, "-P", "-m", "tidegate.cli.main"]
        done = subprocess.run([*tidegate, "down", "--data", str(self.data)], capture_output=True, text=True)
        self.process.wait(30)
        if done.returncode:
            raise DemoFailed(f"stopping failed: {done.stderr or done.stdout}")


def start_server(data: Path, configuration: str = CONFIGURATION, port: int = 0) -> DemoServer:
    """Start a server on a data folder; a new one gets `configuration`, by itself short batches. Raises DemoFailed."""
    data.mkdir(parents=True, exist_ok=True)
    file = data / "tidegate-server.yaml"
    if not file.exists():
        file.write_text(configuration)
    known = data / "server.json"
    known.unlink(missing_ok=True)
    with (data / "demo-server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tidegate.cli.main", "server", "--data", str(data), "--port", str(port)],
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


def _check(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise DemoFailed(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:200]}")
    return answer
