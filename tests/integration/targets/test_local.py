"""The local target, with real supervisord, git, and processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.integration.targets.contract import (
    ARTIFACTS,
    START,
    Bench,
    TargetContract,
    get,
    listener,
    until,
)

from tidegate.model.ids import Commit, DeploymentId
from tidegate.model.installation import InstallationState
from tidegate.model.pipeline import Health
from tidegate.supervision.supervisor import Supervisor
from tidegate.targets.local import LocalTarget
from tidegate.targets.target import TargetAway

SOMEBODY = 54321
"""A user id without an entry in the system's list of users."""


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def supervisor(data: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(data)
    supervisor.ensure_running()
    yield supervisor
    supervisor.shutdown()


@pytest.fixture
def bench(data: Path, supervisor: Supervisor) -> Bench:
    return Bench(_target(data, supervisor))


@pytest.fixture
def root() -> None:
    """Only root can give instances a user of their own."""
    if os.getuid() != 0:
        if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
            pytest.fail("this must run as root")
        pytest.skip("only root can give instances a user of their own")


def _target(data: Path, supervisor: Supervisor, run_as: int | None = None) -> LocalTarget:
    return LocalTarget(data, supervisor, ARTIFACTS, run_as, lambda: datetime.now(UTC))


def _supervisord(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "run" / "supervisord.pid").read_text()))


class TestLocalTargetKeepsTheContract(TargetContract):
    pass


def test_instances_go_on_without_supervisord_and_come_back_with_it(
    bench: Bench, data: Path, supervisor: Supervisor
) -> None:
    desired = bench.desired(instances=2)
    bench.reach(desired, InstallationState.READY)
    before = [listener(port) for port in desired.ports[:2]]
    supervisord = _supervisord(data)
    supervisord.kill()
    until(supervisord.is_running, lambda runs: not runs)

    assert get(desired.ports[0], "/TIDEGATE_SERVICE") == "shop"
    with pytest.raises(TargetAway, match="supervisord does not answer"):
        bench.apply(desired)
    with pytest.raises(TargetAway):
        bench.target.observe(desired.deployment)

    ended = supervisor.ensure_running()
    assert sorted(one.pid for one in ended) == sorted(pid for pid in before if pid)
    again = bench.reach(desired, InstallationState.READY)
    assert [one.restarts for one in again.instances] == [0, 0]
    assert not set(before) & {listener(port) for port in desired.ports[:2]}


def test_a_server_that_is_started_from_another_shell_leaves_the_instances_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = bench.desired(instances=2)
    bench.reach(desired, InstallationState.READY)
    before = [listener(port) for port in desired.ports[:2]]
    monkeypatch.setenv("PATH", f"/opt/venv/bin:{os.environ['PATH']}")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    bench.reach(desired, InstallationState.READY)
    assert [listener(port) for port in desired.ports[:2]] == before


def test_the_server_may_be_replaced_while_prepare_runs(bench: Bench, data: Path, supervisor: Supervisor) -> None:
    gate = data / "gate"
    desired = bench.desired(prepare=f"{_wait_for(gate)}; cp {gate} got")
    until(lambda: bench.apply(desired), lambda one: one.state is InstallationState.PREPARING)
    second = Bench(_target(data, Supervisor(data)))
    assert second.apply(desired).state is InstallationState.PREPARING
    gate.write_text("go\n")
    second.reach(desired, InstallationState.READY)
    app = data / "deployments" / desired.service / desired.environment / desired.deployment / "app"
    assert (app / "got").read_text() == "go\n"


def test_a_prepare_that_was_cut_off_begins_anew_in_a_clean_folder(
    bench: Bench, data: Path, supervisor: Supervisor
) -> None:
    gate = data / "gate"
    desired = bench.desired(prepare=f"test ! -e half; echo x > half; {_wait_for(gate)}")
    app = data / "deployments" / desired.service / desired.environment / desired.deployment / "app"
    until(lambda: (bench.apply(desired), (app / "half").exists()), lambda seen: seen[1])
    supervisord = _supervisord(data)
    supervisord.kill()
    until(supervisord.is_running, lambda runs: not runs)
    supervisor.ensure_running()
    until(lambda: (bench.apply(desired).state, (app / "half").exists()), lambda seen: seen[1])
    gate.write_text("go\n")
    bench.reach(desired, InstallationState.READY)


def test_without_an_artifact_the_commit_is_checked_out(bench: Bench, data: Path) -> None:
    source, first = _repository(data / "it's a repository")
    desired = replace(
        bench.desired(artifact=None, command=f'test "$(cat version)" = one; {START}', prepare="ls version"),
        source=str(source),
        commit=first,
    )
    bench.reach(desired, InstallationState.READY)
    missing = replace(desired, commit=Commit("d" * 40), deployment=DeploymentId("production-r2-0a1b2c3d"))
    failed = bench.reach(missing, InstallationState.FAILED)
    assert "checkout failed" in failed.detail
    assert "d" * 40 in failed.detail


def test_instances_get_the_user_and_only_that_group(data: Path, supervisor: Supervisor, root: None) -> None:
    bench = Bench(_target(data, supervisor, run_as=SOMEBODY))
    source, first = _repository(data / "source", owner=SOMEBODY + 1)
    desired = replace(
        bench.desired(
            artifact=None, prepare='echo mine >> version; touch "$HOME/hello"; test ! -w "$TIDEGATE_ARTIFACTS"'
        ),
        source=str(source),
        commit=first,
    )
    bench.reach(desired, InstallationState.READY)
    assert get(desired.ports[0], "/nothing") == str(SOMEBODY)
    pid = listener(desired.ports[0])
    assert pid is not None
    process = psutil.Process(pid)
    assert set(process.gids()) == {SOMEBODY}
    status = Path(f"/proc/{pid}/status").read_text()
    assert "\nGroups:\t \n" in status


def test_a_folder_that_the_instances_user_may_not_enter_is_named(
    data: Path, supervisor: Supervisor, root: None
) -> None:
    data.chmod(0o700)
    failed = Bench(_target(data, supervisor, run_as=SOMEBODY)).reach(
        Bench(_target(data, supervisor)).desired(), InstallationState.FAILED
    )
    assert f"chmod o+x {data}" in failed.detail


def test_what_a_failed_instance_printed_is_told_without_its_secrets(
    bench: Bench, data: Path, supervisor: Supervisor
) -> None:
    command = 'echo "no answer from $DATABASE_URL"; exec sleep 60'
    desired = replace(
        bench.desired(command=command, health=Health("/healthz", timedelta(seconds=0.5))),
        secrets={"DATABASE_URL": "postgres://tide:gate@db"},
    )
    failed = bench.reach(desired, InstallationState.FAILED)
    assert "no answer from ***" in failed.detail
    after_a_restart = _target(data, supervisor).observe(desired.deployment)
    assert "no answer" not in after_a_restart.detail
    for detail in (failed.detail, after_a_restart.detail):
        assert "tide:gate" not in detail
        assert "nothing listens on $PORT" in failed.detail
        assert "instance-0.log" in failed.detail


def test_what_a_removed_deployment_printed_can_still_be_read(bench: Bench, data: Path) -> None:
    desired = bench.desired()
    bench.reach(desired, InstallationState.READY)
    bench.reach(replace(desired, instances=0), InstallationState.ABSENT)
    assert not (data / "deployments" / "shop" / "production" / desired.deployment).exists()
    log = data / "logs" / "deployments" / "shop" / "production" / desired.deployment / "instance-0.log"
    assert "serving with" in log.read_text()


def _wait_for(file: Path) -> str:
    return f"until test -e {file}; do sleep 0.05; done"


def _repository(folder: Path, owner: int | None = None) -> tuple[Path, Commit]:
    """A repository with two commits; the first is returned."""
    folder.mkdir()

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        ran = subprocess.run(("git", *identity, *arguments), cwd=folder, check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    for version in ("one", "two"):
        (folder / "version").write_text(version)
        git("add", ".")
        git("commit", "--quiet", "-m", version)
    first = Commit(git("rev-parse", "HEAD~1"))
    if owner is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner)
    return folder, first
