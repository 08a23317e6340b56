"""What a step finds around it: its own folders, and an environment in which the server has the last word."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from tests.unit.agent.test_record import a_lease

from tidegate.agent.surroundings import Surroundings
from tidegate.agent.wire import Held
from tidegate.model.ids import ServiceName, StepRunId

HELD = Held(StepRunId("01step"), 1, 1)


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    for name in ("homes", "tmp"):
        (tmp_path / name).mkdir()
    return Surroundings(tmp_path / "homes", tmp_path / "tmp", None)


def test_what_the_server_says_goes_before_what_the_file_says(surroundings: Surroundings, tmp_path: Path) -> None:
    lease = a_lease()
    step = replace(lease.step, env={"LANG": "de_DE", "TIDEGATE_COMMIT": "forged", "TIDEGATE_ARTIFACTS": "/elsewhere"})
    lease = replace(lease, step=step, env={"TIDEGATE_COMMIT": "a" * 40})
    env = surroundings.environment(lease, HELD, tmp_path / "artifacts")
    assert env["LANG"] == "de_DE"
    assert env["TIDEGATE_COMMIT"] == "a" * 40
    assert env["TIDEGATE_ARTIFACTS"] == str(tmp_path / "artifacts")
    assert env["CI"] == "true"


def test_nothing_of_the_agents_own_environment_is_handed_on(
    surroundings: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "hunter2")
    monkeypatch.setenv("USER", "operator")
    env = surroundings.environment(a_lease(), HELD, tmp_path)
    assert "hunter2" not in env.values()
    assert env["USER"] == env["LOGNAME"] == "operator"


@pytest.mark.parametrize("service", ["..", "../../etc", "a/b", ".hidden", "shop\n"])
def test_a_services_home_lies_in_its_own_folder_whatever_it_is_called(
    surroundings: Surroundings, tmp_path: Path, service: str
) -> None:
    env = surroundings.environment(replace(a_lease(), service=ServiceName(service)), HELD, tmp_path)
    home = Path(env["HOME"])
    assert home.parent == surroundings.homes
    assert home.resolve().parent == surroundings.homes.resolve()
    assert home.stat().st_mode & 0o777 == 0o700


def test_steps_of_a_service_share_a_home_and_each_attempt_has_its_own_temporary_folder(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    other = replace(HELD, attempt=2)
    first, second = (surroundings.environment(a_lease(), held, tmp_path) for held in (HELD, other))
    assert first["HOME"] == second["HOME"]
    assert first["TMPDIR"] != second["TMPDIR"]
    surroundings.remove_all_but([other])
    assert [Path(one["TMPDIR"]).exists() for one in (first, second)] == [False, True]
    surroundings.remove(other)
    assert not Path(second["TMPDIR"]).exists()
    assert Path(first["HOME"]).exists()


def test_steps_that_begin_at_once_share_the_home_that_one_of_them_makes(surroundings: Surroundings) -> None:
    def begins(number: int, step: str, together: Barrier) -> Path:
        lease = replace(a_lease(), service=ServiceName(f"shop-{number}"))
        together.wait(20)
        return surroundings.folders(lease, Held(StepRunId(step), number, 1))[0]

    with ThreadPoolExecutor(2) as pool:
        for number in range(1, 300):
            together = Barrier(2)
            first, second = (pool.submit(begins, number, step, together) for step in ("a", "b"))
            assert first.result(20) == second.result(20)
