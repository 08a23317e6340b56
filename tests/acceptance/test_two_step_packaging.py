"""A package, and an image that is made of it: both are recorded by digest, and so is what the image was made from."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.containers import BUSYBOX, Podman

from . import sample_services
from .harness import World, a_world

PACKAGE = "greeter.pyz"


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as started:
        started.service = "greeter"
        yield started


def test_an_image_is_recorded_with_the_package_that_it_was_made_from(world: World) -> None:
    folder = sample_services.two_step_packaging(world.folder / "greeter")
    assert world.run("service", "add", str(folder)).returncode == 0
    first = _release(world, sample_services.git(folder, "rev-parse", "HEAD"))
    package, image = _artifacts(first)
    assert (package["step"], package["given"]) == ("package", [])
    assert image["step"] == "image"
    (given,) = image["given"]
    assert (given["step"], given["artifacts"]) == ("package", {"package": package["digest"]})
    assert _sha256(_fetch(world, package)) == package["digest"]
    assert _sha256(_content_of_image(_fetch(world, image))) == package["digest"]
    _check_told(world, first, package, image)

    # another way to make the image: the package comes from the cache, and the chain is the same
    maker = folder / "ci" / "image.py"
    maker.write_text(maker.read_text().replace('"Cmd": []', '"Cmd": ["--quiet"]'))
    second = _release(world, sample_services.commit(folder, "The image is quiet"))
    kept, other = _artifacts(second)
    assert kept == package
    assert other["digest"] != image["digest"]
    assert other["given"] == image["given"]

    # another package: the image is made of that one
    greeting = folder / "greeter" / "greeting.py"
    greeting.write_text(greeting.read_text().replace("Hello", "Good morning"))
    tests = folder / "tests" / "test_greeting.py"
    tests.write_text(tests.read_text().replace("Hello", "Good morning"))
    newer, last = _artifacts(_release(world, sample_services.commit(folder, "Greet by the time of day")))
    assert newer["digest"] != package["digest"]
    assert last["given"][0]["artifacts"] == {"package": newer["digest"]}
    assert _sha256(_content_of_image(_fetch(world, last))) == newer["digest"]
    assert world.json("audit", "verify")["ok"]


def test_an_engine_runs_the_image_and_finds_the_package_in_it(podman: Podman, tmp_path: Path) -> None:
    made = {"package": tmp_path / PACKAGE, "base": tmp_path / "base.tar", "image": tmp_path / "image.tar"}
    _make("package.py", "greeter", str(made["package"]))
    saved = podman.command("save", "--format", "oci-archive", "--output", str(made["base"]), BUSYBOX)
    assert saved.returncode == 0, saved.stderr
    for base in ([], [str(made["base"])]):
        _make("image.py", str(made["package"]), str(made["image"]), *base)
        loaded = podman.command("load", "--input", str(made["image"]))
        assert "localhost/greeter:latest" in loaded.stdout, loaded.stderr
    found = podman.command("run", "--rm", "--entrypoint", "sha256sum", "localhost/greeter:latest", f"/{PACKAGE}")
    assert found.stdout.split()[:1] == [hashlib.sha256(made["package"].read_bytes()).hexdigest()], found.stderr


def _release(world: World, commit: str) -> Any:
    """The release of a commit, as the command shows it, once its run has ended."""
    run = world.run_of(commit)
    assert world.ended(run) == "succeeded", world.run("logs", run).stdout
    return world.json("release", "show", commit)


def _artifacts(release: Any) -> tuple[Any, Any]:
    by_name = {one["name"]: one for one in release["artifacts"]}
    assert set(by_name) == {"package", "image"}
    return by_name["package"], by_name["image"]


def _check_told(world: World, release: Any, package: Any, image: Any) -> None:
    """The command, the page and the record say it as well."""
    shown = world.run("release", "show", release["id"]).stdout
    assert f'made by "image" from the commit, package ({package["digest"]})' in shown
    code = world.api("POST", "/api/v1/sign-in-codes")["code"]
    with httpx.Client(base_url=world.address, follow_redirects=True, timeout=30) as browser:
        browser.get("/sign-in", params={"code": code})
        page = browser.get(f"/runs/{release['run']}").text
    assert f'title="{image["digest"]}"' in page
    assert f"made from {PACKAGE}" in page
    (built,) = [event for event in world.events(release["run"]) if event["kind"] == "release.created"]
    assert built["data"]["artifacts"] == {"package": package["digest"], "image": image["digest"]}
    assert built["data"]["origins"][-1] == {"artifact": "image", "step": "image", "given": image["given"]}


def _fetch(world: World, artifact: Any) -> bytes:
    token = (world.data / "admin-token").read_text().strip()
    url = f"{world.address}/api/v1/artifacts/{artifact['digest']}"
    answer = httpx.get(url, headers={"authorization": f"Bearer {token}"}, timeout=30).raise_for_status()
    assert len(answer.content) == artifact["size"]
    return answer.content


def _content_of_image(image: bytes) -> bytes:
    """The package in the only layer of an image, found as an engine finds it: from the index by digests."""
    parts = _files(image)

    def _blob(reference: Any) -> bytes:
        data = parts[f"blobs/{reference['digest'].replace(':', '/')}"]
        assert _sha256(data) == reference["digest"]
        return data

    (whole,) = json.loads(parts["index.json"])["manifests"]
    (layer,) = json.loads(_blob(whole))["layers"]
    files = _files(_blob(layer))
    assert list(files) == [PACKAGE]
    return files[PACKAGE]


def _files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = {entry.name: opened.extractfile(entry) for entry in opened}
        return {name: file.read() for name, file in files.items() if file}


def _make(script: str, *arguments: str) -> None:
    command = [sys.executable, str(sample_services.TWO_STEPS / "ci" / script), *arguments]
    subprocess.run(command, cwd=sample_services.TWO_STEPS, env={"SOURCE_DATE_EPOCH": "315532800"}, check=True)


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
