"""Artifacts: the bytes that come out are those that went in, or none."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from .world import ADMIN, AGENT, World, eventually

CONTENT = b"a wheel" * 10_000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def _put(world: World, content: bytes | Iterator[bytes] = CONTENT) -> dict[str, object]:
    with world.client(AGENT) as agent:
        answer = agent.put("/api/v1/artifacts", content=content)
    assert answer.is_success, answer.text
    found: dict[str, object] = answer.json()
    return found


def _kept(world: World) -> list[Path]:
    root = world.api.artifacts.root  # type: ignore[attr-defined]
    return [one for one in root.rglob("*") if one.is_file()]


def test_bytes_are_kept_under_the_digest_of_what_arrived(world: World) -> None:
    assert _put(world) == {"digest": DIGEST, "size": len(CONTENT)}
    for token in (AGENT, ADMIN):
        with world.client(token) as client:
            answer = client.get(f"/api/v1/artifacts/{DIGEST}")
        assert answer.content == CONTENT
        assert answer.headers["content-length"] == str(len(CONTENT))
        assert answer.headers["content-disposition"] == "attachment"


def test_the_same_bytes_are_kept_once(world: World) -> None:
    assert _put(world) == _put(world, iter([CONTENT[:1000], CONTENT[1000:]]))
    assert len(_kept(world)) == 1


def test_bytes_that_changed_on_disk_are_never_sent(world: World) -> None:
    _put(world)
    (file,) = _kept(world)
    file.chmod(0o600)
    file.write_bytes(b"something else")
    with world.client(AGENT) as agent:
        answer = agent.get(f"/api/v1/artifacts/{DIGEST}")
        assert answer.status_code == 502
        assert "have changed on disk" in answer.json()["detail"]
        _put(world)
        assert agent.get(f"/api/v1/artifacts/{DIGEST}").content == CONTENT


def test_an_upload_that_was_cut_off_is_not_kept(world: World) -> None:
    place = urlsplit(world.address)
    with socket.create_connection((place.hostname, place.port)) as wire:
        head = f"PUT /api/v1/artifacts HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {AGENT}\r\n"
        wire.sendall(f"{head}Content-Length: {len(CONTENT)}\r\n\r\n".encode() + CONTENT[: len(CONTENT) // 2])
        eventually(lambda: _kept(world), "the first bytes")
    eventually(lambda: not _kept(world), "the end of what was begun")
    with world.client(AGENT) as agent:
        assert agent.get(f"/api/v1/artifacts/{DIGEST}").status_code == 404
        half = hashlib.sha256(CONTENT[: len(CONTENT) // 2]).hexdigest()
        assert agent.get(f"/api/v1/artifacts/sha256:{half}").status_code == 404


def test_an_artifact_that_is_too_large_is_refused_and_leaves_nothing(world: World) -> None:
    with world.client(AGENT) as agent:
        answer = agent.put("/api/v1/artifacts", content=(b"x" * 100_000 for _ in range(30)))
    assert answer.status_code == 413
    assert "at most 2097152 bytes" in answer.json()["detail"]
    assert _kept(world) == []


def test_what_is_no_digest_leads_nowhere(world: World) -> None:
    with world.client(AGENT) as agent:
        for wrong in ("..%2f..%2fsecret-key", "sha256:..%2f..", "md5:" + "0" * 32, "sha256:" + "0" * 63):
            assert agent.get(f"/api/v1/artifacts/{wrong}").status_code in (404, 422), wrong
