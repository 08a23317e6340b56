"""What a step makes and what it is given: artifacts and reports, from a real checkout to a real server and back."""

from __future__ import annotations

import hashlib

import pytest
from tests.integration.agent.world import World

from tidegate.model.ids import Digest
from tidegate.model.lease import BuiltFile, StepOutcome, StepReport, TestReport

JUNIT = """<testsuites><testsuite name="x" tests="4">
<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>
<testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase></testsuite></testsuites>"""


def digest_of(data: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def test_an_artifact_is_kept_under_the_digest_of_its_bytes(running: World) -> None:
    report = running.perform(
        "mkdir dist; echo wheel > dist/shop-1.whl; : > dist/empty.txt",
        makes={"shop": "dist/*.whl", "empty": "**/empty.txt"},
    )
    assert report.artifacts == (
        BuiltFile("shop", "shop-1.whl", digest_of(b"wheel\n"), 6),
        BuiltFile("empty", "empty.txt", digest_of(b""), 0),
    )
    assert running.server.artifacts[digest_of(b"wheel\n")] == b"wheel\n"


def test_a_large_artifact_arrives_whole(running: World) -> None:
    report = running.perform("head -c 20000000 /dev/urandom > big", makes={"big": "big"})
    (built,) = report.artifacts
    assert built.size == 20_000_000
    assert digest_of(running.server.artifacts[built.digest]) == built.digest


def test_artifacts_of_a_service_in_a_folder_are_found_below_it(running: World) -> None:
    report = running.perform("echo x > here.whl", makes={"shop": "*.whl"}, path="services/shop")
    assert [built.file for built in report.artifacts] == ["here.whl"], report.detail


@pytest.mark.parametrize(
    ("script", "pattern", "words"),
    [
        ("true", "dist/*.whl", "it matched none"),
        ("mkdir dist; touch dist/a.whl dist/b.whl", "dist/*.whl", "it matched 2: dist/a.whl, dist/b.whl"),
        ("ln -s /etc/passwd out", "out", "symbolic link"),
        ("ln -s /etc out", "out/passwd", "symbolic link"),
        ("ln -s /etc out", "out/pass*", "symbolic link"),
        ("ln -s /etc out", "*/passwd", "it matched none"),
        ("ln -s / out", "**/passwd", "it matched none"),
        ("true", "../../../../agent-token", "not a path inside"),
        ("true", "/etc/passwd", "not a path inside"),
        ("mkfifo pipe", "pipe", "not a plain file"),
        ("mkdir folder", "folder", "it matched none"),
    ],
)
def test_what_is_no_single_file_of_the_checkout_fails_the_step_in_words(
    running: World, script: str, pattern: str, words: str
) -> None:
    report = running.perform(script, makes={"shop": pattern})
    assert report.outcome is StepOutcome.FAILED
    assert report.exit_code == 0
    assert "artifact 'shop'" in report.detail
    assert words in report.detail
    assert report.artifacts == ()
    assert running.server.artifacts == {}


def test_a_service_folder_that_became_a_link_leads_nowhere(running: World) -> None:
    script = "cd ..; rm -r shop; ln -s /etc shop"
    report = running.perform(script, makes={"shop": "passwd"}, path="services/shop")
    assert report.outcome is StepOutcome.FAILED
    assert running.server.artifacts == {}


def test_an_artifact_that_the_server_kept_differently_fails_the_step(running: World) -> None:
    running.server.corrupt_uploads = True
    report = running.perform("echo x > out", makes={"shop": "out"})
    assert report.outcome is StepOutcome.FAILED
    assert "the server kept sha256:" in report.detail


def test_a_step_finds_the_artifacts_that_it_is_given_and_cannot_change_them(running: World) -> None:
    running.server.artifacts[digest_of(b"wheel\n")] = b"wheel\n"
    script = 'cat "$TIDEGATE_ARTIFACTS/shop.whl"; ls -A "$TIDEGATE_ARTIFACTS"'
    running.perform(script, artifacts={"shop.whl": digest_of(b"wheel\n")})
    assert running.server.lines("STEP1") == ["wheel", "shop.whl"]
    if running.run_as is not None:
        script = 'echo x >> "$TIDEGATE_ARTIFACTS/shop.whl"'
        report = running.perform(script, "STEP2", artifacts={"shop.whl": digest_of(b"wheel\n")})
        assert report.outcome is StepOutcome.FAILED


def given(world: World, name: str, digest: Digest) -> StepReport:
    return world.perform("echo never", artifacts={name: digest})


def test_bytes_that_are_not_the_artifact_never_reach_a_step(running: World) -> None:
    running.server.artifacts[digest_of(b"right")] = b"wrong"
    report = given(running, "shop.whl", digest_of(b"right"))
    assert report.outcome is StepOutcome.FAILED
    assert "the bytes that came for" in report.detail
    assert running.server.lines("STEP1") == []


def test_an_artifact_that_the_server_does_not_have_is_said(running: World) -> None:
    report = given(running, "shop.whl", digest_of(b"right"))
    assert report.outcome is StepOutcome.FAILED
    assert "does not have" in report.detail


def test_an_artifacts_name_leads_nowhere_else(running: World) -> None:
    running.server.artifacts[digest_of(b"x")] = b"x"
    report = given(running, "../../../admin-token", digest_of(b"x"))
    assert report.outcome is StepOutcome.FAILED
    assert "cannot be the name" in report.detail
    assert (running.data / "admin-token").read_text() == "hunter2"


def test_reports_become_figures(running: World) -> None:
    script = f"mkdir r; cat > r/unit.xml <<'E'\n{JUNIT}\nE\necho '<coverage line-rate=\"0.8125\"/>' > r/cov.xml"
    report = running.perform(script, junit="r/unit.xml", coverage="r/cov.xml")
    assert report.outcome is StepOutcome.SUCCEEDED
    assert report.tests == TestReport(4, 2, 1, ("b", "d"))
    assert report.line_coverage == 81.25


def test_the_report_of_a_step_that_failed_says_how_many_tests_did(running: World) -> None:
    report = running.perform(f"cat > unit.xml <<'E'\n{JUNIT}\nE\nexit 1", junit="unit.xml", coverage="none.xml")
    assert report.outcome is StepOutcome.FAILED
    assert report.detail == "the command ended with exit status 1"
    assert report.tests == TestReport(4, 2, 1, ("b", "d"))
    assert report.line_coverage is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("true", "the JUnit report unit.xml was not written"),
        ("echo '<html/>' > unit.xml", "it is not a JUnit report"),
        ("ln -s /etc/passwd unit.xml", "symbolic link"),
        ("echo '<!DOCTYPE x [<!ENTITY a \"b\">]><testsuite/>' > unit.xml", "document type"),
    ],
)
def test_a_declared_report_that_cannot_be_used_fails_the_step(running: World, script: str, words: str) -> None:
    report = running.perform(script, junit="unit.xml")
    assert report.outcome is StepOutcome.FAILED
    assert words in report.detail
