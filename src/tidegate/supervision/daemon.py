"""The supervisord process of a data folder: its configuration, its start and its end."""

from __future__ import annotations

import importlib.util
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable

from tidegate.supervision import marks, rpc
from tidegate.supervision.program import Program
from tidegate.supervision.run_folder import RunFolder, write_private

_START_SECONDS = 20.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH")
_UNENDING_RETRIES = 1_000_000
"""A program whose start fails is tried again for ever, each time a second later than before, so that it comes back by
itself when the cause has gone."""

_CONF = """\
; Written by Tidegate whenever a program is put or removed. Changes made by hand are lost.
[supervisord]
logfile=%(here)s/supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
loglevel=info
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s
nocleanup=true
umask=077

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

_PROGRAM = """
[program:{name}]
command=%(ENV_TIDEGATE_PYTHON)s -P -m tidegate.supervision.launch
autostart={always}
autorestart={always}
startsecs={startsecs}
startretries={startretries}
stopwaitsecs={stopwaitsecs}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=NONE
"""


class SupervisorFailed(Exception):
    """supervisord could not be started or ended; the message says why and where to read on."""


def render_conf(folder: RunFolder, programs: Iterable[Program]) -> str:
    """supervisord's configuration.

    It holds no value of anybody's choosing: paths come from `%(here)s` and from supervisord's environment, and each
    program's definition is read by the launcher, so nothing needs to be escaped for a format that cannot carry it.
    """
    here = folder.path / "supervisord.sock"
    socket = "%(here)s/supervisord.sock" if folder.socket == here else str(folder.socket)
    return _CONF.format(socket=socket) + "".join(
        _PROGRAM.format(
            name=program.name,
            always="true" if program.autorestart else "false",
            startsecs=1 if program.autorestart else 0,
            startretries=_UNENDING_RETRIES if program.autorestart else 0,
            stopwaitsecs=max(1, math.ceil(program.stop_grace.total_seconds())),
        )
        for program in programs
    )


def write_conf(folder: RunFolder, programs: Iterable[Program]) -> None:
    """Replace DIR/run/supervisord.conf where it differs."""
    conf = render_conf(folder, programs)
    if not folder.conf.exists() or folder.conf.read_text(encoding="utf-8") != conf:
        write_private(folder.conf, conf)


def start(folder: RunFolder) -> None:
    """Start supervisord apart from this process and wait until it answers. Raises SupervisorFailed."""
    if importlib.util.find_spec("supervisor") is None:
        raise SupervisorFailed(
            f"supervisor is not installed for {sys.executable} (platform {sys.platform}): the local target needs it; "
            "use Linux or macOS, and install Tidegate with its dependencies"
        )
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env |= {marks.RUN_FOLDER: str(folder.path), "TIDEGATE_PYTHON": shlex.quote(sys.executable)}
    command = [sys.executable, "-P", "-m", "tidegate.supervision.supervisord", "-c", str(folder.conf)]
    try:
        ended = subprocess.run(
            command,
            env=env,
            cwd=folder.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=_START_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SupervisorFailed(f"supervisord did not begin within {_START_SECONDS:g} s; see {folder.log}") from error
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        why = lines[-1] if lines else f"exit status {ended.returncode}"
        raise SupervisorFailed(f"supervisord could not be started: {why} (see {folder.log})")
    _wait_until_it_answers(folder)


def _wait_until_it_answers(folder: RunFolder) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            rpc.ask(folder.socket, "getState", limit_seconds=1)
            return
        except rpc.SupervisorAway as error:
            if time.monotonic() > deadline:
                raise SupervisorFailed(f"{error}; it was just started, see {folder.log}") from error
            time.sleep(0.02)
