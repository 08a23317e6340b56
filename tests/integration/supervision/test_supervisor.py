"""Programs that are kept alive apart from the server, by a real supervisord."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from tests.processes import is_running

from tidegate.supervision import marks, processes, rpc
from tidegate.supervision.program import Program, ProgramPhase
from tidegate.supervision.run_folder import RunFolder
from tidegate.supervision.supervisor import Supervisor, SupervisorAway

LIMIT_SECONDS = 60.0
SOMEBODY = 54321

T = TypeVar("T")


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def supervisor(data: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(data)
    supervisor.ensure_running()
    yield supervisor
    supervisor.shutdown()


def program(data: Path, script: str, name: str = "sample", **fields: object) -> Program:
    given: dict[str, object] = {"env": {"PATH": os.environ["PATH"]}, "stop_grace": timedelta(seconds=2), **fields}
    return Program(name, ("sh", "-eu", "-c", script), data, data / "logs" / f"{name}.log", **given)  # type: ignore[arg-type]


def until(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    deadline = time.monotonic() + LIMIT_SECONDS
    pause = threading.Event()
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        pause.wait(0.05)
    return seen


def running(supervisor: Supervisor, name: str = "sample") -> int:
    """The process id of a program, once its command has begun."""
    pid = until(lambda: supervisor.state(name).pid, lambda pid: bool(pid) and _has_become_its_command(pid))
    assert pid is not None
    return pid


def _has_become_its_command(pid: int | None) -> bool:
    return psutil.Process(pid).name() in ("sh", "dash", "bash", "sleep")


def kill_supervisord(data: Path) -> None:
    process = psutil.Process(int((data / "run" / "supervisord.pid").read_text()))
    process.kill()
    until(lambda: is_running(process.pid), lambda runs: not runs)


def marked(data: Path) -> list[int]:
    """The processes that carry a mark of the data folder, found without the code under test."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            content = environ.read_bytes()
        except OSError:
            continue
        if any(f"{name}={data}".encode() in content for name in ("TIDEGATE_PART_OF", "TIDEGATE_RUN_FOLDER")):
            found.append(int(environ.parent.name))
    return [pid for pid in found if is_running(pid)]


def test_starting_twice_is_starting_once(data: Path, supervisor: Supervisor) -> None:
    first = (data / "run" / "supervisord.pid").read_text()
    assert supervisor.ensure_running() == ()
    assert Supervisor(data).ensure_running() == ()
    assert (data / "run" / "supervisord.pid").read_text() == first


def test_a_program_lives_in_a_session_apart_from_ours(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "exec sleep 60"))
    assert os.getsid(running(supervisor)) != os.getsid(0)


def test_every_value_arrives_as_it_was_given(data: Path, supervisor: Supervisor) -> None:
    nasty = {
        "PATH": os.environ["PATH"],
        "QUOTES": "'single' \"double\" '",
        "LINES": "one\ntwo\n",
        "PERCENT": "100% %(here)s %%",
        "LIST": "a,b=c;d #e ; f",
        "SPACES": "  both ends  ",
        "BACKSLASH": "\\n\\\\",
        "UNICODE": "Gezeiten ⇅",
        "EMPTY": "",
    }
    words = ("it's", 'a "word"', "100%", "two\nlines", "; # comment", "")
    dump = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:]]), flush=True)"
    once = Program("dump", (sys.executable, "-c", dump, *words), data, data / "logs/dump.log", nasty, autorestart=False)
    supervisor.put(once)
    until(lambda: supervisor.state("dump"), lambda one: one.phase is ProgramPhase.EXITED)
    env, arguments = json.loads(once.log.read_text())
    assert arguments == list(words)
    own = {name: value for name, value in env.items() if name not in (marks.PROGRAM, marks.PART_OF, "LC_CTYPE")}
    assert own == nasty


@pytest.mark.parametrize("name", ["it's 100% a;b #c", "sp ace[1]*", "two\nlines", "long" * 40])
def test_a_data_folder_may_have_any_name(data: Path, name: str) -> None:
    folder = data / name
    folder.mkdir()
    supervisor = Supervisor(folder)
    try:
        supervisor.ensure_running()
        supervisor.put(program(folder, "exec sleep 60"))
        pid = running(supervisor)
        assert psutil.Process(pid).cwd() == str(folder)
    finally:
        supervisor.shutdown()
    assert not is_running(pid)


def test_a_socket_in_a_short_folder_is_private_and_removed_in_the_end(data: Path) -> None:
    folder = data / ("long" * 40)
    folder.mkdir()
    supervisor = Supervisor(folder)
    supervisor.ensure_running()
    short = Path((folder / "run" / "socket-folder").read_text())
    assert stat.S_IMODE(short.stat().st_mode) == 0o700
    assert Supervisor(folder).ensure_running() == ()
    supervisor.shutdown()
    assert not short.exists()


def test_secrets_lie_in_files_that_only_their_owner_can_read_and_in_no_process_list(
    data: Path, supervisor: Supervisor
) -> None:
    supervisor.put(program(data, "exec sleep 60", env={"PATH": os.environ["PATH"], "PASSWORD": "hunter2hunter2"}))
    running(supervisor)
    for file in (data / "run").rglob("*"):
        if file.is_file() and b"hunter2" in file.read_bytes():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "run").stat().st_mode) == 0o700
    lines = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert not any("hunter2" in word for line in lines for word in line)


def test_putting_the_same_changes_nothing_and_putting_another_replaces_it(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "exec sleep 60"))
    first = running(supervisor)
    supervisor.put(program(data, "exec sleep 60"))
    assert supervisor.state("sample").pid == first
    supervisor.put(program(data, "exec sleep 61"))
    assert running(supervisor) != first
    assert not is_running(first)
    assert supervisor.state("sample").restarts == 0


def test_what_a_program_inherits_from_another_shell_does_not_replace_it(data: Path, supervisor: Supervisor) -> None:
    one = replace(
        program(data, "exec sleep 60"), env={"PATH": "/bin:/usr/bin", "A": "1"}, inherited=frozenset({"PATH"})
    )
    supervisor.put(one)
    first = running(supervisor)
    supervisor.put(replace(one, env={"PATH": "/usr/bin:/bin", "A": "1"}))
    assert supervisor.state("sample").pid == first
    supervisor.put(replace(one, env={"PATH": "/usr/bin:/bin", "A": "2"}))
    assert running(supervisor) != first


def test_a_program_that_was_killed_comes_back_and_the_restart_is_counted(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "exec sleep 60"))
    first = running(supervisor)
    os.kill(first, 9)
    state = until(lambda: supervisor.state("sample"), lambda one: one.runs and one.restarts == 1)
    assert state.pid != first
    assert state.description == "ended by SIGKILL"
    assert state.exit_code is None


def test_a_program_that_dies_again_and_again_shows_in_its_restarts(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "exit 3"))
    state = until(lambda: supervisor.state("sample"), lambda one: one.restarts >= 2)
    assert state.exit_code == 3
    assert state.phase in (ProgramPhase.BACKOFF, ProgramPhase.STARTING)
    assert len(state.started_at) == state.restarts + 1


def test_a_command_that_does_not_exist_is_fatal_and_named(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(Program("missing", ("no-such-command",), data, data / "logs/missing.log", {"PATH": "/usr/bin"}))
    state = until(lambda: supervisor.state("missing"), lambda one: one.phase is ProgramPhase.FATAL)
    assert state.description == "the command 'no-such-command' of missing does not exist"
    assert "no-such-command" in (data / "logs/missing.log").read_text()


def test_a_program_without_autorestart_runs_once_and_leaves_its_exit_code(data: Path, supervisor: Supervisor) -> None:
    once = program(data, "echo once; exit 4", autorestart=False)
    supervisor.put(once)
    state = until(lambda: supervisor.state("sample"), lambda one: one.phase is ProgramPhase.EXITED)
    assert state.exit_code == 4
    supervisor.put(once)
    assert once.log.read_text() == "once\n"


def test_removing_ends_the_whole_group_and_forgets_the_program(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "(trap '' TERM; echo $$; while :; do sleep 1; done) & echo child $!; sleep 60"))
    pid = running(supervisor)
    process = psutil.Process(pid)
    children = [one.pid for one in until(lambda: process.children(recursive=True), lambda seen: len(seen) > 2)]
    assert supervisor.remove("sample")
    assert not any(is_running(one) for one in (pid, *children))
    assert supervisor.state("sample").phase is ProgramPhase.ABSENT
    assert list((data / "run" / "programs").iterdir()) == []
    assert supervisor.remove("sample")


def test_removing_without_waiting_returns_at_once_and_is_true_in_the_end(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "trap 'sleep 0.5; exit 0' TERM; echo ready; while :; do sleep 0.05; done"))
    log = data / "logs" / "sample.log"
    until(lambda: log.exists() and log.read_text(), lambda text: text == "ready\n")
    assert supervisor.remove("sample", wait=False) is False
    until(lambda: supervisor.remove("sample", wait=False), bool)
    assert supervisor.states() == {}


def test_what_a_crashed_program_left_behind_is_ended_before_it_starts_again(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "sleep 61 & wait"))
    first = running(supervisor)
    child = until(psutil.Process(first).children, bool)[0]
    os.kill(first, 9)
    until(lambda: supervisor.state("sample"), lambda one: one.runs and one.pid != first)
    until(lambda: is_running(child.pid), lambda lives: not lives)


def test_programs_outlive_supervisord_even_when_they_write_and_are_replaced_by_the_next(
    data: Path, supervisor: Supervisor
) -> None:
    supervisor.put(program(data, "while :; do echo tick; sleep 0.1; done"))
    first = running(supervisor)
    kill_supervisord(data)
    log = data / "logs" / "sample.log"
    size = log.stat().st_size
    until(lambda: log.stat().st_size, lambda now: now > size)
    with pytest.raises(SupervisorAway, match="does not answer"):
        supervisor.states()
    ended = supervisor.ensure_running()
    assert first in [one.pid for one in ended]
    assert {one.program for one in ended} == {"sample"}
    assert not is_running(first)
    assert running(supervisor) != first


def test_an_orphan_that_hides_its_environment_and_ignores_us_is_ended_with_its_group(
    data: Path, supervisor: Supervisor
) -> None:
    hide = "trap '' TERM; exec env -i PATH=/usr/bin:/bin sh -c 'trap \"\" TERM; sleep 62 & while :; do sleep 1; done'"
    supervisor.put(program(data, hide, stop_grace=timedelta(seconds=0.3)))
    pid = running(supervisor)
    environ = Path(f"/proc/{pid}/environ")
    until(environ.read_bytes, lambda content: b"PATH=" in content and b"TIDEGATE" not in content)
    children = [one.pid for one in until(lambda: psutil.Process(pid).children(recursive=True), bool)]
    kill_supervisord(data)
    ended = {one.pid: one for one in supervisor.ensure_running()}
    assert ended[pid].forced
    assert not any(is_running(one) for one in (pid, *children))


def test_a_supervisord_that_is_merely_stopped_is_waited_for_and_nothing_is_ended(
    data: Path, supervisor: Supervisor
) -> None:
    supervisor.put(program(data, "exec sleep 60"))
    pid = running(supervisor)
    supervisord = psutil.Process(int((data / "run" / "supervisord.pid").read_text()))
    supervisord.suspend()
    try:
        with pytest.raises(SupervisorAway, match=f"process {supervisord.pid}, stopped"):
            supervisor.ensure_running()
    finally:
        supervisord.resume()
    assert supervisor.ensure_running() == ()
    assert supervisor.state("sample").pid == pid


def test_a_supervisord_whose_socket_was_removed_is_replaced(data: Path, supervisor: Supervisor) -> None:
    supervisor.put(program(data, "exec sleep 60"))
    first = running(supervisor)
    (data / "run" / "supervisord.sock").unlink()
    supervisor.ensure_running()
    assert not is_running(first)
    running(supervisor)


@pytest.mark.parametrize("how", ["it answers", "it is dead", "it is stopped"])
def test_after_shutdown_nothing_of_the_data_folder_runs(data: Path, how: str) -> None:
    supervisor = Supervisor(data)
    supervisor.ensure_running()
    for number in range(3):
        supervisor.put(
            program(
                data,
                "trap '' TERM; sleep 63 & while :; do sleep 0.1; done",
                f"sample-{number}",
                stop_grace=timedelta(seconds=0.5),
            )
        )
    pids = [running(supervisor, f"sample-{number}") for number in range(3)]
    step = _step_of_an_agent(data)
    if how == "it is dead":
        kill_supervisord(data)
    if how == "it is stopped":
        psutil.Process(int((data / "run" / "supervisord.pid").read_text())).suspend()
    supervisor.shutdown()
    step.wait(5)
    assert not any(is_running(pid) for pid in pids)
    assert marked(data) == []
    assert supervisor.shutdown() == ()


def test_a_step_that_only_belongs_to_the_data_folder_outlives_a_new_supervisord(
    data: Path, supervisor: Supervisor
) -> None:
    step = _step_of_an_agent(data)
    kill_supervisord(data)
    assert supervisor.ensure_running() == ()
    assert step.poll() is None
    step.kill()
    step.wait()


def test_what_was_put_comes_back_after_a_shutdown_but_what_runs_once_does_not(data: Path) -> None:
    supervisor = Supervisor(data)
    supervisor.ensure_running()
    supervisor.put(program(data, "exec sleep 60"))
    supervisor.put(program(data, "echo once", "once", autorestart=False))
    until(lambda: supervisor.state("once"), lambda one: one.phase is ProgramPhase.EXITED)
    supervisor.shutdown()
    supervisor.ensure_running()
    try:
        running(supervisor)
        assert supervisor.state("once").phase is ProgramPhase.STOPPED
        assert (data / "logs" / "once.log").read_text() == "once\n"
    finally:
        supervisor.shutdown()


def test_a_log_that_has_grown_is_put_aside_while_the_program_goes_on_writing(
    data: Path, supervisor: Supervisor
) -> None:
    supervisor.put(program(data, "head -c 11000000 /dev/zero; while :; do echo tick; sleep 0.1; done"))
    log = data / "logs" / "sample.log"
    until(lambda: log.exists() and log.stat().st_size, lambda size: size > 11_000_000)
    supervisor.keep_logs_small()
    assert log.with_name("sample.log.1").stat().st_size > 11_000_000
    until(log.read_bytes, lambda content: content.startswith(b"tick\n"))


def test_a_program_gets_the_user_that_it_is_given_and_none_of_our_groups(data: Path, root: None) -> None:
    data.chmod(0o711)
    supervisor = Supervisor(data)
    groups = os.getgroups()
    os.setgroups([*groups, SOMEBODY + 1])
    try:
        supervisor.ensure_running()
    finally:
        os.setgroups(groups)
    try:
        supervisor.put(program(data, "id -u; id -G", autorestart=False, run_as=SOMEBODY))
        until(lambda: supervisor.state("sample"), lambda one: one.phase is ProgramPhase.EXITED)
        assert (data / "logs" / "sample.log").read_text().splitlines() == [str(SOMEBODY), str(SOMEBODY)]
    finally:
        supervisor.shutdown()


@pytest.fixture
def root() -> None:
    """Only root can give a program a user of its own."""
    if os.getuid() != 0:
        if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
            pytest.fail("this must run as root")
        pytest.skip("only root can give a program a user of its own")


def _step_of_an_agent(data: Path) -> subprocess.Popen[bytes]:
    """What an agent starts: part of the data folder, in a session of its own, no program of supervisord."""
    env = {"PATH": os.environ["PATH"], marks.PART_OF: str(data)}
    return subprocess.Popen(("sleep", "64"), env=env, start_new_session=True)


def test_clients_that_leave_in_the_moment_in_which_a_program_starts_do_not_keep_supervisord_busy(
    data: Path, supervisor: Supervisor
) -> None:
    # their descriptors become those of the program's input, which the program closes
    supervisor.put(program(data, "exec sleep 60"))
    rpc.ask(data / "run" / "supervisord.sock", "stopProcess", "sample", True)
    process = processes.supervisord_running(RunFolder(data))
    assert process is not None
    leaving = [connected(data) for _ in range(2)]
    asking = connected(data)
    for client in (*leaving, asking):  # each is known to supervisord when it has answered
        client.sendall(request("getState"))
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    process.suspend()
    for client in leaving:
        client.close()
    asking.sendall(request("startProcess", "sample", False))
    process.resume()
    running(supervisor)
    asking.close()
    sleeps = process.num_ctx_switches().voluntary
    until(lambda: process.num_ctx_switches().voluntary, lambda now: now >= sleeps + 3)


def connected(data: Path) -> socket.socket:
    """A client's connection to supervisord."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(LIMIT_SECONDS)
    client.connect(str(data / "run" / "supervisord.sock"))
    return client


def request(method: str, *arguments: object) -> bytes:
    """A request to supervisord that keeps its connection."""
    body = xmlrpc.client.dumps(arguments, f"supervisor.{method}").encode()  # type: ignore[arg-type]
    return b"POST /RPC2 HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_what_is_sent_to_a_program_in_its_first_moment_ends_it() -> None:
    script = """
import os, signal, time
from tidegate.supervision.supervisord import fork
signal.signal(signal.SIGTERM, lambda *_: None)
child = fork()
if child == 0:
    time.sleep(2)
    os._exit(0)
os.killpg(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert done.stdout == f"{-signal.SIGTERM}\n", done.stderr
