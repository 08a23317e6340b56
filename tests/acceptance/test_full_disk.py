"""A full disk: the service goes on, the message names it, nothing is lost, and with room again all goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from .harness import Version, World, a_world, wait_for


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m,mode=711", "tmpfs", str(place)])
    if mounted.returncode != 0:
        pytest.skip("no small file system can be mounted here")
    for part in (place, *place.parents[:2]):
        part.chmod(part.stat().st_mode | 0o011)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def test_a_full_disk_is_named_harms_no_service_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    with a_world(small_disk, repository=tmp_path / "sample") as world:
        assert world.release(Version("first", {})) == "succeeded", world.log()
        filler = small_disk / "filler"
        _fill(filler)
        refused = world.run("service", "pause", world.service, "--reason", "x")
        assert refused.returncode == 1
        assert "disk" in refused.stderr
        assert "is full, and nothing was changed; make room" in refused.stderr
        commit = world.commit(Version("second", {}))
        wait_for(lambda: "is full" in world.log(), "the server's word about it")
        assert "Traceback" not in world.log()
        assert httpx.get(world.url()).is_success
        assert not _is_paused(world)

        filler.unlink()
        assert world.ended(world.run_of(commit)) == "succeeded", world.log()
        assert world.json("audit", "verify")["ok"]


def _is_paused(world: World) -> bool:
    return bool(world.api("GET", f"/api/v1/services/{world.service}")["paused_because"])
