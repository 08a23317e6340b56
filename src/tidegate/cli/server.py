"""`tidegate server`: a server's life, from the lock on its data folder to its last request."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

import uvicorn

from tidegate.api.app import create_app
from tidegate.artifacts.store import ArtifactCorrupt
from tidegate.cli.data_folder import resolve_data_folder
from tidegate.cli.server_lock import DataFolderInUse, announce, only_server, withdraw
from tidegate.cli.server_parts import compose
from tidegate.cli.server_wiring import Wired, wire
from tidegate.cli.serving import Serving
from tidegate.config.problem import ConfigError
from tidegate.model.actor import SYSTEM
from tidegate.routers.envoy_process import EnvoyMissing, envoy_binary
from tidegate.store.database import StoreUnavailable
from tidegate.web.pages import add_pages

log = logging.getLogger("tidegate.server")

GRACEFUL_SECONDS = 3


def serve(data: Path | None, host: str, port: int, database_url: str | None, envoy: Path | None) -> None:
    """Run a server until it is told to stop; what it deployed goes on. Ends the process with 1 where it cannot."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for chatty in ("httpx", "alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    folder = resolve_data_folder(data)
    try:
        binary = envoy_binary(envoy)
        folder.mkdir(parents=True, exist_ok=True)
        with only_server(folder), listening(host, port) as listener:
            _run(folder, listener, host, binary, database_url)
    except (
        EnvoyMissing,
        DataFolderInUse,
        ConfigError,
        StoreUnavailable,
        ArtifactCorrupt,
        OSError,
        ValueError,
    ) as error:
        _give_up(error)


def _give_up(error: Exception) -> NoReturn:
    if os.environ.get("TIDEGATE_DEBUG") == "1":
        raise error
    text = "\n".join(str(problem) for problem in error.problems) if isinstance(error, ConfigError) else str(error)
    sys.stderr.write(f"tidegate server: {text}\n")
    raise SystemExit(1)


def listening(host: str, port: int) -> socket.socket:
    """A bound socket for the server. Raises OSError, with the remedy in it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # where the protocol is not named, asyncio sends without TCP_NODELAY: the body of an answer waits 40 ms for the
    # other side to confirm its head
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}); "
            "choose another with --port, or 0 for a free one"
        ) from error
    return listener


def _run(data: Path, listener: socket.socket, host: str, envoy: Path, database_url: str | None) -> None:
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    parts = compose(data, database_url)
    wired = wire(parts, address, host, envoy)
    sys.stdout.write(f"Tidegate serves at {address}\n")
    sys.stdout.write(f"Sign in: {address}/sign-in?code={wired.api.sign_in.new_code()}\n")
    if wired.api.entrance.links.nobody_is_here():
        made = wired.api.entrance.links.for_first_admin(SYSTEM)
        sys.stdout.write(f"Make an administrator's account: {address}/welcome?code={made.code}\n")
    sys.stdout.flush()
    log.info("%s", parts.isolation.reason)
    app = create_app(wired.api)
    add_pages(app, wired.api)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=GRACEFUL_SECONDS
    )
    failed = threading.Event()
    starter = threading.Thread(
        target=_bring_up, args=(wired, data, address, failed), name="tidegate-start", daemon=True
    )
    # uvicorn raises a signal again once it has served: without a handler that would be the end, before all is stopped
    signal.signal(signal.SIGTERM, _told_to_end)
    starter.start()
    try:
        Serving(config).run(sockets=[listener])
    except SystemExit:
        log.info("the server was told to end")
    finally:
        withdraw(data)
        wired.api.ready.clear()
        starter.join(GRACEFUL_SECONDS)
        wired.stop()
        parts.engine.database.close()
    if failed.is_set():
        raise SystemExit(1)


def _told_to_end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _bring_up(wired: Wired, data: Path, address: str, failed: threading.Event) -> None:
    """Bring up what serves without the server, then the engine; only then say where this server is."""
    try:
        wired.start()
    except Exception:
        log.exception("the server cannot start")
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)
        return
    wired.api.ready.set()
    announce(data, address)
