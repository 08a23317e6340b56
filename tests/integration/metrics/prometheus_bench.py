"""A real Prometheus on loopback that scrapes nothing: tests write what they want to be asked about, at any time."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
from tests.integration.routers.services import free_port

LIMIT_SECONDS = 30.0


@dataclass(frozen=True)
class Native:
    """A native histogram of schema 0: bucket `i` holds what lies in (2^(i-1), 2^i]."""

    buckets: Mapping[int, int]


@dataclass
class PrometheusBench:
    """A server for a whole session; each test writes series of its own names."""

    url: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, verify=False))
    """Plain HTTP: reading the machine's certificates would take longer than all else."""

    def write(self, name: str, labels: Mapping[str, str], samples: Mapping[datetime, float | Native]) -> None:
        """Write samples of a series, oldest first, by the remote-write protocol 1.0."""
        pairs = sorted({"__name__": name, **labels}.items())
        series = b"".join(_field(1, _text(1, key) + _text(2, value)) for key, value in pairs)
        for at, value in samples.items():
            moment = round(at.timestamp() * 1000)
            if isinstance(value, Native):
                series += _field(4, _histogram(value, moment))
            else:
                series += _field(2, _double(1, value) + _varint_field(2, moment))
        headers = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
        body = _uncompressed(_field(1, series))
        self.client.post(f"{self.url}/api/v1/write", content=body, headers=headers).raise_for_status()

    def count(self, name: str, labels: Mapping[str, str], values: Sequence[float], end: datetime, every: float) -> None:
        """Write a counter that had these values, the last at `end`, one each so many seconds."""
        begin = end.timestamp() - every * (len(values) - 1)
        moments = [datetime.fromtimestamp(begin + every * index, end.tzinfo) for index in range(len(values))]
        self.write(name, labels, dict(zip(moments, values, strict=True)))


@contextmanager
def running_prometheus(require: Callable[[str, bool], None]) -> Iterator[PrometheusBench]:
    """A running Prometheus, of Debian's package."""
    binary = shutil.which("prometheus")
    require("prometheus", binary is not None)
    assert binary
    folder, port = Path(tempfile.mkdtemp(dir="/tmp")), free_port()
    (folder / "prometheus.yml").write_text("{}\n")
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--enable-feature=native-histograms",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(f"http://127.0.0.1:{port}/-/ready", process, folder / "log")
        bench = PrometheusBench(f"http://127.0.0.1:{port}")
        with bench.client:
            yield bench
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause, give_up_at = threading.Event(), time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.02)
    raise AssertionError(f"Prometheus is not ready after {LIMIT_SECONDS:.0f} s: {log.read_text()}")


def _histogram(value: Native, moment: int) -> bytes:
    """As integers, one span from the first bucket to the last; counts are written as differences."""
    first, last = min(value.buckets), max(value.buckets)
    counts = [value.buckets.get(index, 0) for index in range(first, last + 1)]
    deltas = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    span = _varint_field(1, _zigzag(first)) + _varint_field(2, len(counts))
    packed = b"".join(_varint(_zigzag(delta)) for delta in deltas)
    return (
        _varint_field(1, sum(counts))
        + _double(3, float(sum(counts)))
        + _double(5, 1e-128)
        + _varint_field(6, 0)
        + _field(11, span)
        + _field(12, packed)
        + _varint_field(15, moment)
    )


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _uncompressed(content: bytes) -> bytes:
    """A Snappy block of literals: the protocol asks for that format, not for it to be small."""
    found = bytearray(_varint(len(content)))
    for begin in range(0, len(content), 0x10000):
        chunk = content[begin : begin + 0x10000]
        found += bytes([61 << 2]) + struct.pack("<H", len(chunk) - 1) + chunk
    return bytes(found)
