"""Steps as a service's team relies on them: performed by a real agent for a real HTTP server."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest
from tests.integration.agent.world import World, until
from tests.processes import is_running

from tidegate.model.ids import Commit, RunId
from tidegate.model.lease import StepOutcome


def test_a_step_runs_in_a_clean_checkout_of_exactly_its_commit(running: World) -> None:
    running.change({"hello.txt": "newer\n"})
    report = running.perform("cat hello.txt; git rev-parse HEAD; git status --porcelain; echo end")
    assert report.outcome is StepOutcome.SUCCEEDED
    assert report.exit_code == 0
    assert report.began_at <= report.ended_at
    assert running.server.lines("STEP1") == ["hello", running.commit, "end"]


def test_a_step_gets_its_environment_and_nothing_of_the_agents(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SECRET", "hunter2")
    world.start_agent()
    lease = world.lease("env", env={"TIDEGATE_COMMIT": world.commit})
    world.server.offer(replace(lease, step=replace(lease.step, env={"COLOUR": "$(id)"})))
    world.server.result("STEP1")
    env = dict(line.split("=", 1) for line in world.server.lines("STEP1"))
    assert env.keys() - {"PATH", "PWD", "_", "OLDPWD", "SHLVL"} == {
        "CI", "COLOUR", "HOME", "LANG", "LOGNAME", "TIDEGATE_ARTIFACTS", "TIDEGATE_COMMIT", "TIDEGATE_MARK",
        "TMPDIR", "TZ", "USER",
    }  # fmt: skip
    assert env["CI"] == "true"
    assert env["COLOUR"] == "$(id)"
    assert env["TIDEGATE_COMMIT"] == world.commit


def test_a_service_in_a_folder_of_its_repository_is_built_there(running: World) -> None:
    running.perform("ls", path="services/shop")
    assert running.server.lines("STEP1") == ["here.txt"]


@pytest.mark.parametrize("path", ["services/none", "../../..", "/etc", "hello.txt"])
def test_a_folder_that_the_commit_does_not_have_is_said(running: World, path: str) -> None:
    report = running.perform("true", path=path)
    assert report.outcome is StepOutcome.FAILED
    assert f"no folder {path!r}" in report.detail


def test_a_commit_that_is_not_there_is_said(running: World) -> None:
    report = running.perform("true", commit=Commit("0" * 40))
    assert report.outcome is StepOutcome.FAILED
    assert "00000000 could not be checked out" in report.detail


def test_steps_of_a_run_find_the_commit_as_it_is_whatever_the_ones_before_did(running: World) -> None:
    harm = "echo x > hello.txt; rm -r services; mkdir -p new/inner; echo y > new/inner/file; git add --all; pwd"
    look = "cat hello.txt; ls; ls services/shop; git status --porcelain; pwd"
    running.perform(harm, "STEP1")
    running.perform(look, "STEP2")
    where = running.server.lines("STEP1")[-1]
    assert running.server.lines("STEP2") == ["hello", "hello.txt", "services", "here.txt", where]


def test_setup_runs_once_and_what_it_made_stays_for_the_steps_after_it(running: World) -> None:
    setup = "echo setting up; mkdir made; echo made > made/file"
    running.perform("cat made/file; echo mine > rest", "STEP1", setup=setup)
    running.perform("cat made/file; ls", "STEP2", setup=setup)
    assert running.server.lines("STEP1") == ["── setup ──", "setting up", "── step1 ──", "made"]
    assert running.server.lines("STEP2") == ["made", "hello.txt", "made", "services"]


def test_what_setup_made_is_made_anew_where_a_step_spoilt_it(running: World) -> None:
    setup = "mkdir made; echo made > made/file"
    running.perform("echo spoilt > made/file", "STEP1", setup=setup)
    running.perform("cat made/file", "STEP2", setup=setup)
    assert running.server.lines("STEP2") == ["── setup ──", "── step2 ──", "made"]


def test_a_step_that_rewrites_gits_own_files_spoils_nothing_for_the_next(running: World) -> None:
    running.perform("echo x > new; git add new; git -c user.name=x -c user.email=x commit -qm x; git tag x", "STEP1")
    running.perform("git rev-parse HEAD; git tag", "STEP2")
    assert running.server.lines("STEP2") == [running.commit]


def test_another_run_gets_a_checkout_of_its_own(running: World) -> None:
    running.perform("pwd", "STEP1")
    running.server.offer(replace(running.lease("pwd", "STEP2"), run=RunId("RUN2")))
    running.server.result("STEP2")
    assert running.server.lines("STEP1") != running.server.lines("STEP2")


def test_a_setup_that_fails_fails_the_step_and_says_so(running: World) -> None:
    report = running.perform("echo never", setup="echo trying; exit 3")
    assert report.outcome is StepOutcome.FAILED
    assert report.detail == "setup failed: the command ended with exit status 3"
    assert running.server.lines("STEP1") == ["── setup ──", "trying"]


def test_steps_run_beside_each_other_up_to_the_number_of_slots(world: World) -> None:
    world.slots = 2
    world.start_agent()
    gates = world.data / "gates"
    gates.mkdir(mode=0o755)
    world.server.offer(
        *(
            world.lease(f"echo up; until [ -e {gates}/{number} ]; do sleep 0.02; done", f"STEP{number}")
            for number in range(3)
        )
    )
    world.server.until(lambda server: server.lines("STEP0") and server.lines("STEP1"))
    world.server.until(lambda server: server.requests.count("renew") >= 2)
    assert [lease.step_run for lease in world.server.ready] == ["STEP2"]
    (gates / "0").touch()
    world.server.until(lambda server: server.lines("STEP2"))
    (gates / "1").touch()
    (gates / "2").touch()
    world.server.result("STEP1")
    world.server.result("STEP2")


def test_a_command_that_does_not_exist_is_said(running: World) -> None:
    report = running.perform("no-such-command")
    assert (report.outcome, report.exit_code) == (StepOutcome.FAILED, 127)
    assert "a command was not found" in report.detail
    assert "no-such-command: not found" in running.server.lines("STEP1")[0]


def test_a_step_that_takes_too_long_is_ended_though_it_ignores_the_gentle_signal(running: World) -> None:
    report = running.perform("trap '' TERM; echo $$; while :; do sleep 0.05; done", timeout=timedelta(seconds=2))
    assert report.outcome is StepOutcome.TIMED_OUT
    assert report.detail == "it took longer than its timeout of 2 s"
    pid, *_, last = running.server.lines("STEP1")  # between them, the shell may tell how its child ended
    assert last == "── it took longer than its timeout of 2 s ──"
    assert not is_running(int(pid))


def test_a_step_is_cancelled_by_the_servers_word(running: World) -> None:
    running.server.offer(running.lease("echo $$; sleep 60"))
    running.server.until(lambda server: server.lines("STEP1"))
    running.server.cancel.add(running.lease("").step_run)
    report = running.server.result("STEP1")
    assert report.outcome is StepOutcome.CANCELLED
    assert not is_running(int(running.server.lines("STEP1")[0]))


def test_what_a_step_leaves_running_is_ended_with_it(running: World) -> None:
    running.perform("setsid sh -c 'echo $$ > pid; exec sleep 60' & until [ -s pid ]; do sleep 0.01; done; cat pid")
    assert not is_running(int(running.server.lines("STEP1")[0]))


def test_a_step_that_closes_its_output_is_waited_for(running: World) -> None:
    report = running.perform("echo first; exec >&- 2>&-; sleep 0.3; exit 9")
    assert report.exit_code == 9
    assert running.server.lines("STEP1") == ["first"]


def test_binary_and_endless_lines_become_a_readable_log(running: World) -> None:
    running.perform(
        r"printf '\377\000\033[31mred\033[0m\033[2Jx\n'; printf '10%%\r100%%\r\n';"
        r" head -c 40000 /dev/zero | tr '\0' y; printf '\nno end'"
    )
    lines = running.server.lines("STEP1")
    assert lines[0] == "\ufffd\x1b[31mred\x1b[0mx"
    assert lines[1] == "100%"
    assert [len(line) for line in lines[2:5]] == [16384, 16384, 7232]
    assert lines[5:] == ["no end"]


def test_a_step_that_writes_too_many_lines_is_stopped(world: World) -> None:
    world.lines = 1000
    world.start_agent()
    report = world.perform("while :; do echo x; done")
    assert report.outcome is StepOutcome.FAILED
    most = "the most that a log holds; have it write less, or into a file"
    assert report.detail == f"it was stopped because it wrote more than 1000 lines, {most}"
    assert world.server.lines("STEP1")[-1] == f"── {report.detail} ──"


def test_a_step_that_writes_too_many_bytes_is_stopped(world: World) -> None:
    world.output_bytes = 1024 * 1024
    world.start_agent()
    report = world.perform("cat /dev/zero")
    assert report.outcome is StepOutcome.FAILED
    assert report.detail.startswith("it was stopped because it wrote more than 1 MiB, the most")


@pytest.mark.parametrize("script", ["seq 1001", "head -c 2000000 /dev/zero | tr '\\0' y"])
def test_a_step_that_has_ended_before_it_could_be_stopped_fails_as_well(world: World, script: str) -> None:
    world.lines, world.output_bytes = 1000, 1024 * 1024
    world.start_agent()
    report = world.perform(script)
    assert report.outcome is StepOutcome.FAILED
    assert "wrote more than" in report.detail
    assert world.server.lines("STEP1")[-1] == f"── {report.detail} ──"


def test_a_step_of_a_root_agent_cannot_read_what_is_the_servers(as_root: None, running: World) -> None:
    data = running.data
    for number, secret in enumerate((data / "admin-token", data / "agent-token", data / "git" / "shop" / "hello.txt")):
        report = running.perform(f"cat {secret}", f"STEP{number}")
        assert report.outcome is StepOutcome.FAILED
        assert "Permission denied" in running.server.lines(f"STEP{number}")[0]
    running.perform(f"id -u; ls {data} {data}/agent {data}/agent/attempts || true", "STEP9")
    lines = running.server.lines("STEP9")
    assert lines[0] != "0"
    assert all("cannot open directory" in line for line in lines[1:])


def test_nothing_of_an_attempt_is_left_when_the_server_has_its_result(running: World) -> None:
    running.perform('echo x > "$TMPDIR/file"; chmod 0 "$TMPDIR"')
    agent = running.data / "agent"
    until(lambda: not list((agent / "attempts").iterdir()) and not list((agent / "tmp").iterdir()))


def test_only_a_few_free_checkouts_are_kept(running: World) -> None:
    for number in range(7):
        running.server.offer(replace(running.lease("true", f"STEP{number}"), run=RunId(f"RUN{number}")))
        running.server.result(f"STEP{number}")
    until(lambda: len(list((running.data / "agent" / "checkouts").iterdir())) <= 4)


def test_a_step_may_find_its_service_a_home_that_lasts(running: World) -> None:
    running.perform('echo kept > "$HOME/cache"', "STEP1")
    running.server.offer(replace(running.lease('cat "$HOME/cache"', "STEP2"), run=RunId("RUN2")))
    running.server.result("STEP2")
    assert running.server.lines("STEP2") == ["kept"]


def test_an_idle_agent_uses_no_processor_time(running: World) -> None:
    running.perform("true")
    process = psutil.Process(running.agents[0].pid)
    before = process.cpu_times()
    running.server.until(lambda server: server.requests.count("lease") >= 3, 20)
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.1


def test_steps_belong_to_the_agents_own_user_where_it_is_not_isolated(world: World) -> None:
    world.run_as = None
    world.start_agent()
    world.perform("id -u")
    assert world.server.lines("STEP1") == [str(os.geteuid())]
