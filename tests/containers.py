"""A real container engine for tests: Podman with everything of its own in a temporary folder, and images from nothing.

Fixtures to be imported by a conftest: `podman`, `busybox_image`, `postgres_image`. No registry is reached.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil
import pytest

from tidegate.runners.engine import Engine

BUSYBOX = "localhost/tidegate-busybox:latest"
POSTGRES = "localhost/tidegate-postgres:latest"
UID_OF_POSTGRES = 999

_ADDRESSES = Path("/var/lib/cni/networks")

# Some machines let nobody raise a limit, and runc tries to: what it is told of limits is taken out before.
_RUNC = """\
#!/bin/sh
bundle=. process= next= verb=
for word in "$@"; do
  case $next in bundle) bundle=$word;; process) process=$word;; esac
  next=
  case $word in
    --bundle|-b) next=bundle;;
    --bundle=*) bundle=${word#*=};;
    --process|-p) next=process;;
    --process=*) process=${word#*=};;
    create|run|exec) verb=${verb:-$word};;
  esac
done
file=
case $verb in
  create|run) file=$bundle/config.json;;
  exec) file=$process;;
esac
[ -z "$file" ] || sed -i -e 's/,"rlimits":\\[[^]]*\\]//' -e 's/"rlimits":\\[[^]]*\\],//' "$file"
exec runc "$@"
"""

_CONFIG = """\
[engine]
runtime = "runc-without-limits"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
[engine.runtimes]
runc-without-limits = ["{folder}/runc"]
[network]
network_config_dir = "{folder}/networks"
"""

_POSTGRES_START = """\
#!/bin/sh
set -eu
{bin}/initdb -D /data -A trust -U postgres --no-sync >/dev/null
echo host all all all trust >> /data/pg_hba.conf
exec {bin}/postgres -D /data -h 0.0.0.0 -k /tmp -F
"""


@dataclass
class Podman:
    """Podman in a folder of its own, and its service, which speaks the Docker API."""

    folder: Path
    driver: str = "overlay"
    _service: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where the Docker API is."""
        return f"unix://{self.folder}/socket"

    @cached_property
    def engine(self) -> Engine:
        return Engine(self.url)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._podman(), *words], env=self._env(), capture_output=True, text=True, timeout=120)

    def build(self, image: str, context: Path, lines: Sequence[str]) -> None:
        """Make an image of a folder's files."""
        (context / "Containerfile").write_text("\n".join(["FROM scratch", *lines, ""]))
        built = self.command("build", "--quiet", "--tag", image, str(context))
        assert built.returncode == 0, built.stderr

    def serve(self) -> None:
        """Start the service and wait until it answers."""
        log = (self.folder / "service.log").open("ab")
        argv = [*self._podman(), "system", "service", "--time=0", self.url]
        with log:
            self._service = subprocess.Popen(argv, env=self._env(), stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 20
        while True:
            with suppress(Exception):
                assert self.engine.look("nothing") is None
                return
            assert time.monotonic() < deadline, (self.folder / "service.log").read_text()
            threading.Event().wait(0.02)

    def stop_serving(self) -> None:
        """End the service; containers go on without it."""
        if self._service is not None:
            self._service.send_signal(signal.SIGKILL)
            self._service.wait()
            self._service = None
            (self.folder / "socket").unlink(missing_ok=True)

    def close(self) -> None:
        """Remove everything, and what Podman would leave on this machine."""
        self.stop_serving()
        self.command("rm", "--all", "--force", "--time", "0")
        self.command("network", "prune", "--force")
        since = (self.folder / "containers.conf").stat().st_mtime
        for addresses in _ADDRESSES.glob("tidegate-*"):  # of networks that are gone
            with contextlib.suppress(FileNotFoundError):  # another test run removes its own
                if addresses.stat().st_mtime > since and not list(addresses.glob("*.*.*.*")):
                    shutil.rmtree(addresses, ignore_errors=True)
        for watcher in psutil.process_iter(["cmdline"]):  # of commands that have ended: it stays for minutes
            if str(self.folder / "runc") in (watcher.info["cmdline"] or ()):
                watcher.kill()
        subprocess.run(["umount", str(self.folder / "root" / self.driver)], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _podman(self) -> list[str]:
        root, run = self.folder / "root", self.folder / "run"
        return ["podman", "--root", str(root), "--runroot", str(run), "--storage-driver", self.driver]

    def _env(self) -> dict[str, str]:
        return {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")}


def make_podman(folder: Path) -> Podman:
    """Podman in this folder, with an image of busybox. The service is not started yet."""
    (folder / "runc").write_text(_RUNC)
    (folder / "runc").chmod(0o755)
    (folder / "containers.conf").write_text(_CONFIG.format(folder=folder))
    (folder / "networks").mkdir()
    podman = Podman(folder)
    if podman.command("info").returncode != 0:  # an overlay cannot lie on another one
        podman.driver = "vfs"
        shutil.rmtree(folder / "root", ignore_errors=True)
    context = folder / "busybox"
    copy_busybox(context)
    podman.build(BUSYBOX, context, ["COPY . /", 'CMD ["/bin/sh"]'])
    return podman


def copy_busybox(context: Path) -> None:
    """The files of an image that has a shell and the usual commands."""
    (context / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", context / "bin" / "busybox")
    listed = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        if name != "busybox":
            (context / "bin" / name).symlink_to("busybox")


@pytest.fixture(scope="session")
def podman(require: Callable[[str, bool], None]) -> Iterator[Podman]:
    """Podman with its service and an image of busybox."""
    missing = [name for name in ("podman", "runc", "busybox") if shutil.which(name) is None]
    require(f"what runs containers ({', '.join(missing)})", not missing)
    require("busybox without libraries (busybox-static)", not needed_by([Path("/bin/busybox")]))
    require("root, for a Podman of the tests' own,", os.geteuid() == 0)
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="tgp-"))
    folder.chmod(0o755)
    made = make_podman(folder)
    try:
        tried = made.command("run", "--rm", BUSYBOX, "true")
        require(f"what Podman needs to run a container ({tried.stderr.strip()})", tried.returncode == 0)
        made.serve()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def busybox_image(podman: Podman) -> str:
    """An image of busybox: a shell and the usual commands, and no user database."""
    return BUSYBOX


@pytest.fixture(scope="session")
def postgres_image(podman: Podman, require: Callable[[str, bool], None]) -> str:
    """An image of this machine's own Postgres with the libraries that it needs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    require("Postgres", bool(found))
    bin_ = found[-1].parent
    context = podman.folder / "postgres"
    copy_busybox(context)
    version = bin_.parent.name
    share = Path("/usr/share/postgresql") / version
    programs = [bin_ / name for name in ("initdb", "postgres", "psql", "pg_isready")]
    libraries = [one for one in (bin_.parent / "lib").glob("*.so") if one.name in _LIBRARIES]
    extension = share / "extension"
    data = [Path("/usr/share/zoneinfo/UTC"), *extension.glob("plpgsql*")]
    for file in (*programs, *libraries, *data, *needed_by([*programs, *libraries])):
        copy_file(file, context)
    without = shutil.ignore_patterns("man", "extension")
    shutil.copytree(share, context / share.relative_to("/"), ignore=without, dirs_exist_ok=True)
    (context / "etc").mkdir()
    (context / "etc/passwd").write_text(f"postgres:x:{UID_OF_POSTGRES}:{UID_OF_POSTGRES}::/data:/bin/sh\n")
    for name in ("data", "tmp"):
        (context / name).mkdir()
    (context / "start").write_text(_POSTGRES_START.format(bin=bin_))
    (context / "start").chmod(0o755)
    copy = f"COPY --chown={UID_OF_POSTGRES}:{UID_OF_POSTGRES} . /"
    podman.build(POSTGRES, context, [copy, f"ENV PATH={bin_}:/bin", "USER postgres", 'CMD ["/start"]'])
    shutil.rmtree(context)
    return POSTGRES


_LIBRARIES = ("plpgsql.so", "dict_snowball.so", "utf8_and_iso8859.so")
"""What initdb loads; the rest of Postgres' own libraries needs much and is needed by nobody here."""


def needed_by(programs: Sequence[Path]) -> set[Path]:
    """The libraries that programs are linked with, and what loads them."""
    listed = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True).stdout
    words = [line.split() for line in listed.splitlines()]
    paths = [word for line in words for word in line if word.startswith("/") and not word.endswith(":")]
    return {Path(path) for path in paths}


def copy_file(file: Path, context: Path, to: str | None = None) -> None:
    """Copy a file of this machine into an image's files, to the same place or another one."""
    there = context / (to or str(file)).lstrip("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    there.unlink(missing_ok=True)
    shutil.copy(file.resolve(), there)
