"""What stands between an agent and its commands: one keeper a command, forked by a process that does nothing else.

The agent starts this file as a program, which imports next to nothing, and asks it for keepers: to fork the agent
itself costs several times as much, and so does a shell that starts other programs to do a keeper's work. A keeper
leads the command's session. It is there before its order comes, so that nobody waits for it; it begins when the agent
says that it may, starts the command, carries the output from a pipe to its file, and leaves the exit status in another.
With its order it needs neither the agent nor the process that forked it, so both may die. Nothing of Tidegate can be
imported here.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import struct
import sys
from typing import NoReturn

HEADER = struct.Struct("!Q")
"""How long the message is that follows."""

ASK = b"?"
"""The agent wants a keeper."""

BEGIN = b"begin\n"
UNBEGUN = b"unbegun\n"
"""What is left instead of a status when the agent died before the command might begin: nothing of it ran."""

_FDS = 3
_CHUNK_BYTES = 128 * 1024
_CANNOT_EXECUTE = 126
"""What shells say of a command that is there and cannot be executed."""

_GENTLE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""For the command alone: its keeper stays, to note the status and to carry the last lines."""

_CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)


def serve(channel: socket.socket) -> None:
    """Fork a keeper whenever the agent asks for one, until the agent is gone. Answers its pid, with the end of a socket
    on which it waits for its order; or why there is none."""
    # the status of keepers is of no interest to anybody, so none becomes a zombie
    for number in (*_GENTLE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ConnectionError):
        while channel.recv(len(ASK)) == ASK:
            _answer(channel)


def _answer(channel: socket.socket) -> None:
    ends: tuple[socket.socket, ...] = ()
    try:
        ours, theirs = ends = socket.socketpair()
        answer, fds = str(_fork_keeper(channel, ours, theirs)), [ours.fileno()]
    except OSError as error:
        answer, fds = str(error), []
    message = answer.encode(errors="replace")
    socket.send_fds(channel, [HEADER.pack(len(message)) + message], fds)
    for end in ends:
        end.close()


def _fork_keeper(channel: socket.socket, ours: socket.socket, theirs: socket.socket) -> int:
    pid = os.fork()
    if pid == 0:
        channel.close()
        ours.close()
        _become_keeper(theirs)
    return pid


def receive(channel: socket.socket, length: int) -> bytes:
    """So many bytes. Ends the process where the other side is gone."""
    message = bytearray()
    while len(message) < length:
        chunk = channel.recv(length - len(message))
        if not chunk:
            sys.exit()
        message += chunk
    return bytes(message)


def _become_keeper(channel: socket.socket) -> NoReturn:
    try:
        os.setsid()
        os.umask(0o022)
        woken = _wake_at_childs_end()
        header, fds, _, _ = socket.recv_fds(channel, HEADER.size, _FDS, socket.MSG_WAITALL)
        if len(header) == HEADER.size:
            order = receive(channel, *HEADER.unpack(header))
            channel.close()
            _follow(order, fds, woken)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(0)


def _follow(order: bytes, fds: list[int], woken: int) -> None:
    """Carry an order out, as soon as the agent says so."""
    cwd, run_as, count, *rest = order.split(b"\0")
    begin, status, output = fds
    # whatever goes wrong from here on is said in the command's log
    os.dup2(output, sys.stderr.fileno())
    os.chdir(cwd)
    for fd in fds:
        os.set_inheritable(fd, False)
    if run_as:
        os.setgroups([])
        os.setgid(int(run_as))
        os.setuid(int(run_as))
    if os.read(begin, len(BEGIN)) == BEGIN:
        os.close(begin)
        _keep(rest[: int(count)], rest[int(count) :], status, output, woken)
    else:
        os.write(status, UNBEGUN)


def _wake_at_childs_end() -> int:
    """A file that can be read from when a child has ended."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken


def _keep(argv: list[bytes], env: list[bytes], status: int, output: int, woken: int) -> None:
    said, say = os.pipe()
    try:
        pid = os.posix_spawn(
            argv[0],
            argv,
            dict(_halves(variable) for variable in env),
            file_actions=[(os.POSIX_SPAWN_DUP2, say, 1), (os.POSIX_SPAWN_DUP2, say, 2)],
            setsigdef=[*_GENTLE, *_CHANGED_BY_PYTHON],
        )
    except (OSError, ValueError) as error:
        _write(output, f"{os.fsdecode(argv[0])}: {error}\n".encode(errors="replace"))
        _write(status, b"%d\n" % _CANNOT_EXECUTE)
        return
    os.close(say)
    _watch(pid, woken, said, status, output)


def _halves(variable: bytes) -> tuple[bytes, bytes]:
    name, _, value = variable.partition(b"=")
    return name, value


def _watch(pid: int, woken: int, said: int, status: int, output: int) -> None:
    """Carry the output until its end, and note the status as soon as it is there: children may keep the pipe open."""
    poller = select.poll()
    poller.register(woken, select.POLLIN)
    poller.register(said, select.POLLIN)
    runs = speaks = True
    while speaks:
        ready = {fd for fd, _ in poller.poll()}
        if said in ready:
            speaks = _carry(said, output)
        if woken in ready:
            os.read(woken, _CHUNK_BYTES)
            runs = runs and not _note_end(pid, status, os.WNOHANG)
    os.close(said)
    if runs:
        _note_end(pid, status, 0)


def _note_end(pid: int, status: int, options: int) -> bool:
    ended, how = os.waitpid(pid, options)
    if ended:
        code = os.waitstatus_to_exitcode(how)
        _write(status, b"%d\n" % (code if code >= 0 else 128 - code))
    return ended != 0


def _carry(said: int, output: int) -> bool:
    """Whether there may be more. On a full disk there is not: the command then writes to a closed pipe."""
    chunk = os.read(said, _CHUNK_BYTES)
    try:
        _write(output, chunk)
    except OSError:
        return False
    return bool(chunk)


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def main() -> None:
    """Serve the channel that is the standard input; keepers, and their commands, find that to be empty."""
    gc.disable()  # it would write to pages that are shared with the keepers
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    serve(channel)


if __name__ == "__main__":
    main()
