"""What a step made, after its end: exactly the files that its definition names, or words that help to find them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from tidegate.agent import collect
from tidegate.agent.collect import NotMade, Reports, collect_artifacts, read_reports, read_reports_of_failed
from tidegate.agent.confined import ConfinedFolder
from tidegate.model.ids import Digest, StepName
from tidegate.model.lease import BuiltFile, TestReport
from tidegate.model.pipeline import Step

STEP = Step(StepName("package"), "make", artifacts={"shop": "dist/*.whl"}, junit="unit.xml", coverage="coverage.xml")
JUNIT = b"<testsuite><testcase/><testcase><failure/></testcase></testsuite>"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "shop-1.whl").write_bytes(b"wheel")
    (tmp_path / "unit.xml").write_bytes(JUNIT)
    (tmp_path / "coverage.xml").write_bytes(b"<coverage line-rate='0.5'/>")
    return tmp_path


def upload(file: BinaryIO) -> tuple[Digest, int]:
    data = file.read()
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"), len(data)


def test_an_artifact_keeps_its_files_name_beside_the_one_that_the_pipeline_gives_it(made: Path) -> None:
    digest = Digest(f"sha256:{hashlib.sha256(b'wheel').hexdigest()}")
    assert collect_artifacts(STEP, ConfinedFolder(made), upload) == (BuiltFile("shop", "shop-1.whl", digest, 5),)


@pytest.mark.parametrize(
    ("outputs", "handed_on"), [((), False), (("dist",), True), (("dist/*.whl",), True), (("*.xml",), False)]
)
def test_an_artifact_says_whether_the_steps_after_it_find_it(
    made: Path, outputs: tuple[str, ...], handed_on: bool
) -> None:
    (built,) = collect_artifacts(replace(STEP, outputs=outputs), ConfinedFolder(made), upload)
    assert built.handed_on is handed_on


def test_a_step_without_artifacts_and_reports_made_none(made: Path) -> None:
    plain = replace(STEP, artifacts={}, junit=None, coverage=None)
    assert collect_artifacts(plain, ConfinedFolder(made), upload) == ()
    assert read_reports(plain, ConfinedFolder(made)) == Reports(None, None)


def test_of_many_files_that_match_some_are_named(made: Path) -> None:
    for number in range(20):
        (made / "dist" / f"shop-2.{number:02}.whl").touch()
    with pytest.raises(NotMade) as refused:
        collect_artifacts(STEP, ConfinedFolder(made), upload)
    assert "artifact 'shop' (dist/*.whl) has to match exactly one file; it matched 21: dist/shop-1.whl, " in str(
        refused.value
    )
    assert str(refused.value).endswith("…. Make the pattern narrower")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("build/*.whl", "it matched none. Does the step write it there, below the service's folder?"),
        ("../*.whl", "was refused: '../*.whl' is not a path inside of the checkout"),
        ("/etc/passwd", "was refused"),
        ("", "was refused: an empty path names no file"),
    ],
)
def test_an_artifact_that_is_not_there_is_said_with_its_pattern(made: Path, pattern: str, says: str) -> None:
    with pytest.raises(NotMade) as refused:
        collect_artifacts(replace(STEP, artifacts={"shop": pattern}), ConfinedFolder(made), upload)
    assert f"artifact 'shop' ({pattern})" in str(refused.value)
    assert says in str(refused.value)


def test_reports_become_figures(made: Path) -> None:
    assert read_reports(STEP, ConfinedFolder(made)) == Reports(TestReport(2, 1, 0), 50.0)


def test_the_figures_of_several_reports_are_added_up(made: Path) -> None:
    folder = made / "app" / "target" / "surefire-reports"
    folder.mkdir(parents=True)
    (folder / "TEST-One.xml").write_bytes(JUNIT)
    (folder / "TEST-Two.xml").write_bytes(b"<testsuite><testcase><skipped/></testcase><testcase/></testsuite>")
    (folder / "One.txt").write_text("Tests run: 2")
    for pattern in ("app/target/surefire-reports/TEST-*.xml", "**/surefire-reports/TEST-*.xml"):
        step = replace(STEP, junit=pattern, coverage=None)
        assert read_reports(step, ConfinedFolder(made)) == Reports(TestReport(total=4, failed=1, skipped=1))
    (folder / "TEST-Two.xml").write_bytes(b"<testsuite>")
    with pytest.raises(NotMade, match=r"TEST-Two\.xml cannot be used: it is not XML"):
        read_reports(step, ConfinedFolder(made))
    assert read_reports_of_failed(step, ConfinedFolder(made)) == Reports()


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("nowhere/TEST-*.xml", "the JUnit report nowhere/TEST-\\*.xml was not written"),
        ("link/TEST-*.xml", "the JUnit report link/TEST-\\*.xml cannot be used: link is a symbolic link"),
    ],
)
def test_a_pattern_of_reports_that_leads_to_none_is_said(made: Path, pattern: str, says: str) -> None:
    (made / "link").symlink_to("/etc")
    with pytest.raises(NotMade, match=says):
        read_reports(replace(STEP, junit=pattern), ConfinedFolder(made))


@pytest.mark.parametrize("name", ["unit.xml", "coverage.xml"])
def test_a_declared_report_that_is_missing_or_unreadable_is_said(made: Path, name: str) -> None:
    (made / name).write_bytes(b"3 passed")
    with pytest.raises(NotMade, match=f"report {name} cannot be used: it is not XML"):
        read_reports(STEP, ConfinedFolder(made))
    (made / name).unlink()
    with pytest.raises(NotMade, match=f"report {name} was not written; the step declares it under `reports`"):
        read_reports(STEP, ConfinedFolder(made))


def test_a_report_that_is_too_large_is_not_read_whole(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "REPORT_BYTES", len(JUNIT) - 1)
    with pytest.raises(NotMade, match="cannot be used: it has more than"):
        read_reports(STEP, ConfinedFolder(made))


def test_of_a_step_that_failed_there_is_what_it_wrote(made: Path) -> None:
    (made / "coverage.xml").unlink()
    assert read_reports_of_failed(STEP, ConfinedFolder(made)) == Reports(TestReport(2, 1, 0), None)
    (made / "unit.xml").write_bytes(b"torn")
    assert read_reports_of_failed(STEP, ConfinedFolder(made)) == Reports(None, None)


def test_a_report_may_be_many_files_that_count_as_one(made: Path) -> None:
    case = "<testsuite><testcase name='{}'>{}</testcase></testsuite>"
    for name, inner in (("a", ""), ("b", "<failure/>"), ("c", "<skipped/>"), ("d", "")):
        (made / f"TEST-{name}.xml").write_text(case.format(name, inner))
    (made / "TEST-d2.xml").write_text(case.format("d", "<error/>"))
    many = replace(STEP, junit="TEST-*.xml")
    found = read_reports(many, ConfinedFolder(made), watched=("a", "b", "d"))
    assert found.tests == TestReport(5, 2, 1, ("b", "d"), ("a",))
    (made / "TEST-torn.xml").write_text("torn")
    with pytest.raises(NotMade, match=r"report TEST-torn\.xml cannot be used: it is not XML"):
        read_reports(many, ConfinedFolder(made))
    with pytest.raises(NotMade, match=r"the JUnit report none-\*\.xml was not written"):
        read_reports(replace(STEP, junit="none-*.xml"), ConfinedFolder(made))


def test_a_report_behind_a_link_is_refused(made: Path) -> None:
    (made / "out").symlink_to(made.parent)
    with pytest.raises(NotMade, match="symbolic link"):
        read_reports(replace(STEP, junit="out/unit.xml"), ConfinedFolder(made))
