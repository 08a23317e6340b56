"""From the store to a deployment: what is installed is exactly what was built, or it is said that it is not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.targets.contract import SERVER, Bench, get

from tidegate.artifacts.folder import FolderStore
from tidegate.model.ids import Digest
from tidegate.model.installation import DesiredInstallation, InstallationState
from tidegate.supervision.supervisor import Supervisor
from tidegate.targets.local import LocalTarget


class Site:
    """A local target with a real store, in a data folder with a real supervisord."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.store = FolderStore(data / "artifacts")
        self.digest = self.store.put([SERVER])
        self.supervisor = Supervisor(data)
        self.supervisor.ensure_running()
        self.bench = Bench(LocalTarget(data, self.supervisor, self.store, None, lambda: datetime.now(UTC)))

    def desired(self) -> DesiredInstallation:
        return replace(self.bench.desired(), artifacts={"server.py": self.digest})

    @property
    def artifacts(self) -> Path:
        desired = self.desired()
        return self.data / "deployments" / "shop" / "production" / desired.deployment / "artifacts"


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    data = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgi-"))
    site = Site(data)
    yield site
    site.supervisor.shutdown()
    shutil.rmtree(data)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    yield running
    desired = replace(running.desired(), instances=0)
    running.bench.reach(desired, InstallationState.ABSENT)


def test_an_artifact_that_was_damaged_is_not_installed_and_is_once_it_was_put_again(site: Site) -> None:
    digits = site.digest.removeprefix("sha256:")
    (site.store.root / "sha256" / digits[:2] / digits[2:]).write_bytes(SERVER + b"\nimport evil\n")
    failed = site.bench.apply(site.desired())
    assert failed.state is InstallationState.FAILED
    assert f"the artifact server.py ({site.digest}) could not be copied" in failed.detail
    assert "have changed on disk" in failed.detail
    assert not site.artifacts.exists()
    site.store.put([SERVER])
    ready = site.bench.reach(site.desired(), InstallationState.READY)
    assert get(ready.healthy[0].port, "/TIDEGATE_SERVICE") == "shop"


def test_an_artifact_that_is_not_there_is_named(site: Site) -> None:
    missing = replace(site.desired(), artifacts={"server.py": Digest("sha256:" + "0" * 64)})
    failed = site.bench.apply(missing)
    assert failed.state is InstallationState.FAILED
    assert f"no artifact sha256:{'0' * 64} is here" in failed.detail


def test_what_a_killed_server_had_copied_in_part_is_not_installed(site: Site) -> None:
    left = site.artifacts.with_name("artifacts.new")
    left.mkdir(parents=True)
    (left / ".new-half").write_bytes(SERVER[:10])
    (left / "server.py").write_bytes(b"another version")
    (left / "removed-since.py").write_bytes(b"of another build")
    site.bench.reach(site.desired(), InstallationState.READY)
    assert {path.name: path.read_bytes() for path in site.artifacts.iterdir()} == {"server.py": SERVER}
    assert not left.exists()
