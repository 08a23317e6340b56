"""The folder of artifacts: nothing is handed out, or kept, that is not exactly what its digest says."""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.artifacts.children import KILLED, as_a_stranger, in_a_child
from tests.integration.artifacts.full_disk import files_grow_only_to

from tidegate.artifacts.folder import FolderStore
from tidegate.artifacts.store import ArtifactCorrupt, ArtifactMissing, ArtifactNotKept
from tidegate.model.ids import Digest

WHEEL = b"PK\x03\x04" + bytes(range(256)) * 700


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "artifacts")


@pytest.fixture
def shut_folder() -> Iterator[Path]:
    """A folder in which everybody may look and nobody may write."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o555)
    yield folder
    folder.rmdir()


def digest_of(data: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def file_of(store: FolderStore, digest: Digest) -> Path:
    """Where the bytes lie on disk."""
    digits = digest.removeprefix("sha256:")
    return store.root / "sha256" / digits[:2] / digits[2:]


def read(store: FolderStore, digest: Digest) -> bytes:
    with store.open(digest) as file:
        return file.read()


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=3000), max_size=6))
def test_what_is_put_comes_back_under_the_digest_of_its_bytes(store: FolderStore, chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    digest = store.put(chunks)
    assert digest == digest_of(whole)
    assert read(store, digest) == whole
    assert store.size(digest) == len(whole)


def test_the_same_bytes_twice_are_kept_once(store: FolderStore) -> None:
    assert store.put([WHEEL]) == store.put([WHEEL[:10], WHEEL[10:]])
    assert files_below(store.root) == [file_of(store, digest_of(WHEEL))]


@pytest.mark.parametrize(
    "damaged",
    [WHEEL[:-1], WHEEL + b"!", b"", WHEEL[:1000] + b"\0" + WHEEL[1001:]],
    ids=["cut", "grown", "empty", "bit"],
)
def test_damaged_bytes_are_never_handed_out(store: FolderStore, tmp_path: Path, damaged: bytes) -> None:
    digest = store.put([WHEEL])
    file_of(store, digest).write_bytes(damaged)
    with pytest.raises(ArtifactCorrupt, match=f"the bytes of {digest} have changed on disk; they were set aside as "):
        store.copy_to(digest, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert [path.read_bytes() for path in (store.root / "corrupt").iterdir()] == [damaged]
    with pytest.raises(ArtifactMissing, match=digest):
        store.open(digest)


def test_the_digest_is_checked_at_every_read_and_not_only_at_the_first(store: FolderStore) -> None:
    digest = store.put([WHEEL])
    assert read(store, digest) == WHEEL
    file_of(store, digest).write_bytes(WHEEL[::-1])
    with pytest.raises(ArtifactCorrupt):
        store.open(digest)


def test_putting_the_right_bytes_again_repairs_a_damaged_artifact(store: FolderStore) -> None:
    digest = store.put([WHEEL])
    file_of(store, digest).write_bytes(b"?")
    assert store.put([WHEEL]) == digest
    assert read(store, digest) == WHEEL


def test_a_reader_that_found_damage_does_not_set_aside_what_was_repaired_meanwhile(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = store.put([WHEEL])
    file_of(store, digest).write_bytes(b"?")
    read_whole = hashlib.file_digest

    def _while_somebody_repairs(file: object, name: str) -> object:
        found = read_whole(file, name)  # type: ignore[arg-type]
        store.put([WHEEL])
        return found

    monkeypatch.setattr(hashlib, "file_digest", _while_somebody_repairs)
    with pytest.raises(ArtifactCorrupt):
        store.open(digest)
    monkeypatch.undo()
    assert read(store, digest) == WHEEL


@pytest.mark.parametrize(
    "no_digest", ["", "sha256:", "../../admin-token", "sha256:" + "A" * 64, "sha256:" + "0" * 63, "md5:" + "0" * 64]
)
def test_what_is_no_digest_leads_nowhere(store: FolderStore, no_digest: str) -> None:
    for ask in (store.open, store.size):
        with pytest.raises(ArtifactMissing, match="is not the digest of an artifact"):
            ask(Digest(no_digest))


def test_what_was_never_put_is_missing(store: FolderStore, tmp_path: Path) -> None:
    digest = digest_of(b"something else")
    for ask in (store.open, store.size):
        with pytest.raises(ArtifactMissing, match=digest):
            ask(digest)
    with pytest.raises(ArtifactMissing, match=digest):
        store.copy_to(digest, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_said_and_nothing_of_the_artifact_stays(store: FolderStore) -> None:
    kept = store.put([b"kept before"])
    before = files_below(store.root)
    with files_grow_only_to(len(WHEEL) // 2), pytest.raises(ArtifactNotKept) as refused:
        store.put([WHEEL])
    assert str(store.root) in str(refused.value)
    assert "Free some space there" in str(refused.value)
    assert files_below(store.root) == before
    assert read(store, kept) == b"kept before"
    assert read(store, store.put([WHEEL])) == WHEEL


def test_a_copy_that_finds_no_room_leaves_nothing_in_its_place(store: FolderStore, tmp_path: Path) -> None:
    digest = store.put([WHEEL])
    place = tmp_path / "place"
    place.mkdir()
    with files_grow_only_to(len(WHEEL) // 2), pytest.raises(OSError, match="File too large"):
        store.copy_to(digest, place / "shop.whl")
    assert list(place.iterdir()) == []
    store.copy_to(digest, place / "shop.whl")
    assert (place / "shop.whl").read_bytes() == WHEEL
    assert [path.name for path in place.iterdir()] == ["shop.whl"]


def test_a_folder_that_may_not_be_written_is_said(shut_folder: Path) -> None:
    def _put() -> str:
        try:
            return FolderStore(shut_folder / "artifacts").put([WHEEL])
        except ArtifactNotKept as error:
            return str(error)

    said = as_a_stranger(_put)
    assert f"the artifact could not be kept in {shut_folder}/artifacts: Permission denied" in said
    assert "give the folder back to its user" in said


def test_an_error_of_whoever_gives_the_bytes_is_theirs_and_nothing_is_kept(store: FolderStore) -> None:
    def _cut_off() -> Iterator[bytes]:
        yield WHEEL
        raise ConnectionResetError("the agent is gone")

    with pytest.raises(ConnectionResetError, match="the agent is gone"):
        store.put(_cut_off())
    assert files_below(store.root) == []


def test_a_server_killed_while_it_puts_leaves_no_artifact_and_harms_no_later_put(store: FolderStore) -> None:
    def _killed_in_the_middle() -> Iterator[bytes]:
        yield WHEEL
        os.kill(os.getpid(), signal.SIGKILL)
        yield WHEEL

    assert in_a_child(lambda: store.put(_killed_in_the_middle())) == KILLED
    assert not (store.root / "sha256").exists()
    assert read(store, store.put([WHEEL])) == WHEEL


def test_what_killed_servers_left_of_their_puts_is_removed_by_a_later_one(store: FolderStore) -> None:
    store.put([b"any"])
    leftover, in_use = (store.root / "incoming" / name for name in (".new-left", ".new-of-now"))
    for file in (leftover, in_use):
        file.write_bytes(WHEEL)
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(leftover, (long_ago, long_ago))
    store.put([b"another"])
    assert not leftover.exists()
    assert in_use.exists()


def test_many_who_put_the_same_bytes_at_once_all_succeed(store: FolderStore) -> None:
    together = Barrier(6, timeout=20)

    def _chunks() -> Iterable[bytes]:
        yield WHEEL
        together.wait()

    with ThreadPoolExecutor(6) as pool:
        digests = set(pool.map(lambda _: store.put(_chunks()), range(6)))
    assert digests == {digest_of(WHEEL)}
    assert read(store, digest_of(WHEEL)) == WHEEL
    assert files_below(store.root) == [file_of(store, digest_of(WHEEL))]


def test_two_processes_may_put_into_one_folder(store: FolderStore) -> None:
    theirs = in_a_child(lambda: store.put([WHEEL, b"theirs"]))
    ours = store.put([WHEEL, b"ours"])
    assert read(store, Digest(theirs)) == WHEEL + b"theirs"
    assert read(store, ours) == WHEEL + b"ours"


def test_artifacts_are_readable_for_the_servers_own_user_only(store: FolderStore) -> None:
    file = file_of(store, store.put([WHEEL]))
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    file.write_bytes(b"damaged")
    with pytest.raises(ArtifactCorrupt):
        store.open(digest_of(WHEEL))
    assert (store.root / "corrupt").stat().st_mode & 0o077 == 0
