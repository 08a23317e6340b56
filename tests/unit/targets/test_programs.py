"""What is run for a deployment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tidegate.model.ids import Commit, DeploymentId, EnvironmentName, PlacementId, ReleaseId, ServiceName
from tidegate.model.installation import DesiredInstallation
from tidegate.model.pipeline import Runtime
from tidegate.targets import programs
from tidegate.targets.folder import DeploymentFolder, phases

FOLDER = DeploymentFolder(Path("/d/deployments/shop/production/p-r1-ab"), Path("/d/logs"))
DESIRED = DesiredInstallation(
    deployment=DeploymentId("p-r1-ab"),
    placement=PlacementId("shop/production"),
    service=ServiceName("shop"),
    environment=EnvironmentName("production"),
    release=ReleaseId("r1"),
    commit=Commit("c" * 40),
    runtime=Runtime(command="serve --port \"$PORT\"; echo '$(date)'", artifact="shop", prepare="unpack"),
    instances=2,
    ports=(20001, 20002),
    artifacts={},
    env={"LOG_LEVEL": "info", "HOME": "/chosen"},
    secrets={"TOKEN": "t0ken"},
)


def test_an_instance_gets_its_command_as_written_and_its_own_port() -> None:
    program = programs.instance(DESIRED, FOLDER, 1, run_as=None)
    assert program.name == "svc-p-r1-ab-1"
    assert program.command == ("sh", "-eu", "-c", "serve --port \"$PORT\"; echo '$(date)'")
    assert program.env["PORT"] == "20002"
    assert program.autorestart


def test_what_is_desired_goes_before_what_is_usual_and_secrets_are_in_the_environment_only() -> None:
    program = programs.instance(DESIRED, FOLDER, 0, run_as=500)
    assert (program.env["HOME"], program.env["LOGNAME"], program.run_as) == ("/chosen", "tidegate", 500)
    assert program.env["TOKEN"] == "t0ken"
    assert not any("t0ken" in word for word in program.command)


def test_prepare_runs_once_and_as_the_same_user() -> None:
    program = programs.phase(DESIRED, FOLDER, "prepare", run_as=500)
    assert not program.autorestart
    assert (program.command[-1], program.cwd, program.run_as) == ("unpack", FOLDER.app, 500)


def test_a_commit_is_checked_out_only_where_the_runtime_names_no_artifact() -> None:
    assert phases(DESIRED) == ("prepare",)
    assert phases(replace(DESIRED, source="/repository")) == ("prepare",)
    bare = replace(DESIRED, source="/repository", runtime=Runtime(command="serve"))
    assert phases(bare) == ("checkout",)
    assert programs.phase(bare, FOLDER, "checkout", run_as=500).run_as is None


def test_instances_are_told_by_their_names_highest_first() -> None:
    names = ["svc-p-r1-ab-0", "svc-p-r1-ab-10", "svc-p-r1-ab-2", "svc-p-r1-abc-3", "prepare-p-r1-ab", "svc-p-r1-ab-x"]
    assert programs.instance_indexes(DeploymentId("p-r1-ab"), names) == [10, 2, 0]
