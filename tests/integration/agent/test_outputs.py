"""What a step hands over is what later steps find, and nothing gets out of the checkout on the way."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tidegate.agent.confined import ConfinedFolder, Escape
from tidegate.agent.outputs import ArchiveRefused, OutputMissing, pack, unpack
from tidegate.model.lease import BuiltFile, StepOutcome

from .world import World


def test_what_a_step_hands_over_is_in_the_checkout_of_the_one_that_needs_it(running: World) -> None:
    makes = "mkdir -p out/deep; echo hello > out/deep/file; echo run > out/tool; chmod +x out/tool; echo no > other"
    made = running.perform(makes, "STEP1", outputs=("out/**",))
    assert made.outcome is StepOutcome.SUCCEEDED, made.detail
    assert made.outputs is not None
    running.perform("cat out/deep/file; test -x out/tool; ls", "STEP2", **handed(made.outputs))
    assert "hello" in running.server.lines("STEP2")
    assert "other" not in running.server.lines("STEP2")


def test_what_was_handed_over_is_gone_from_the_checkout_for_a_step_that_does_not_need_it(running: World) -> None:
    made = running.perform("mkdir out; echo hello > out/file", "STEP1", outputs=("out",))
    assert made.outputs is not None
    running.perform("cat out/file", "STEP2", **handed(made.outputs))
    running.perform("ls", "STEP3")
    assert "out" not in running.server.lines("STEP3")


def test_a_step_that_does_not_make_what_it_hands_over_fails_and_says_so(running: World) -> None:
    report = running.perform("true", "STEP1", outputs=("dist/*.whl",))
    assert report.outcome is StepOutcome.FAILED
    assert "the output dist/*.whl matches no file" in report.detail


def test_a_step_runs_in_its_working_directory_and_its_outputs_begin_at_the_services_folder(running: World) -> None:
    running.perform("mkdir made", "STEP1")
    report = running.perform("pwd", "STEP2", working_directory="nowhere")
    assert report.outcome is StepOutcome.FAILED
    assert "`working_directory` of the step" in report.detail


def handed(outputs: BuiltFile) -> dict[str, object]:
    """A lease's field for what an earlier step handed over; `Lease.outputs` and `Step.outputs` share a name."""
    return {"handed": (outputs,)}


# the archive


def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "out").mkdir(parents=True)
    (root / "out" / "file").write_text("x")
    return root


def packed(root: Path, *patterns: str) -> bytes:
    target = io.BytesIO()
    pack(ConfinedFolder(root), patterns, target)
    return target.getvalue()


def test_the_same_files_always_give_the_same_archive_whenever_they_were_made(tmp_path: Path) -> None:
    root = tree(tmp_path)
    first = packed(root, "out/**")
    (root / "out" / "file").write_text("y")
    (root / "out" / "file").write_text("x")
    assert hashlib.sha256(packed(root, "out/**")).digest() == hashlib.sha256(first).digest()


def test_patterns_with_an_exclamation_mark_leave_files_out(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "out" / "log").write_text("x")
    with tarfile.open(fileobj=io.BytesIO(packed(root, "out/**", "!out/log"))) as archive:
        assert archive.getnames() == ["out/file"]


def test_a_pattern_that_matches_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputMissing, match="the output bin"):
        packed(tree(tmp_path), "out", "bin")


def test_a_folder_behind_a_link_is_not_handed_over(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "away").symlink_to("/etc")
    with pytest.raises(Escape, match="symbolic link"):
        packed(root, "away/**")


def test_a_link_is_handed_over_as_a_link(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "out" / "link").symlink_to("file")
    (tmp_path / "new").mkdir()
    unpack(io_file(tmp_path, packed(root, "out/**")), tmp_path / "new", None)
    assert (tmp_path / "new/out/link").readlink() == Path("file")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_an_archive_that_leads_out_of_the_checkout_is_refused_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(ArchiveRefused, match="not a file inside"):
        unpack(io_file(tmp_path, evil(("good", None), (name, None))), tmp_path / "new", None)
    assert list((tmp_path / "new").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_an_archive_that_writes_through_its_own_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(ArchiveRefused, match="behind a symbolic link"):
        unpack(io_file(tmp_path, evil(("away", "/tmp"), ("away/evil", None))), tmp_path / "new", None)


def test_an_archive_that_writes_through_a_link_of_the_checkout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "away").symlink_to(tmp_path)
    with pytest.raises(ArchiveRefused, match="behind a symbolic link"):
        unpack(io_file(tmp_path, evil(("away/evil", None))), tmp_path / "new", None)
    assert not (tmp_path / "evil").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="no archive"):
        unpack(io_file(tmp_path, b"not a tar at all" * 100), tmp_path, None)


def evil(*entries: tuple[str, str | None]) -> bytes:
    """An archive with these entries: a name, and where it leads to where it is a link."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, link in entries:
            entry = tarfile.TarInfo(name)
            if link:
                entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry, io.BytesIO())
    return target.getvalue()


def io_file(tmp_path: Path, content: bytes) -> io.BufferedReader:
    """The bytes as a real file, which a process can read from."""
    path = tmp_path / "archive.tar"
    path.write_bytes(content)
    return path.open("rb")
