"""A repository on another host that only a credential opens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.integrations.conftest import TOKEN, a_host

from .harness import Version, World, a_world


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as started:
        yield started


def test_commits_of_a_private_repository_are_noticed_and_its_credential_is_nowhere_to_be_read(world: World) -> None:
    first = world.commit(Version("first", {}))
    with a_host(world.folder) as address:
        url = f"{address}/{world.service}"
        refused = world.run("service", "add", url)
        assert refused.returncode == 2
        assert (
            f"tidegate secret set {world.service} GIT && tidegate service add {url} --credential GIT" in refused.stderr
        )

        unknown = world.run("service", "add", url, "--credential", "GIT")
        assert unknown.returncode == 2
        assert f"tidegate secret set {world.service} GIT" in unknown.stderr

        assert world.run("secret", "set", world.service, "GIT", input="robot:wrong\n").returncode == 0
        assert world.run("service", "add", url, "--credential", "GIT").returncode == 2
        assert world.run("secret", "set", world.service, "GIT", input=f"robot:{TOKEN}\n").returncode == 0
        added = world.run("service", "add", url, "--credential", "GIT")
        assert added.returncode == 0, added.stderr
        assert world.ended(world.run_of(first)) == "succeeded", world.log()

        second = world.commit(Version("second", {}))
        assert world.ended(world.run_of(second)) == "succeeded", world.log()
    assert list(world.placement()["shares"].values()) == [1.0]
    for file in world.data.rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file
    for process in world.processes():
        assert TOKEN not in " ".join([*process.cmdline(), *process.environ().values()])
