"""The sample service's own tests tell Tidegate how many there were."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.agent.reports import parse_junit
from tidegate.demo.versions import SHOP
from tidegate.model.lease import TestReport

FIRST = SHOP / "1-first"
NAMED = "Catalogue::test_catalogue.Catalogue.test_"


@pytest.mark.parametrize(
    ("added", "status", "report"),
    [
        ("", 0, TestReport(total=2, failed=0, skipped=0)),
        ("    def test_wrong(self):\n        self.fail('no')\n", 1, TestReport(3, 1, 0, (f"{NAMED}wrong",))),
        ("    def test_broken(self):\n        raise OSError\n", 1, TestReport(3, 1, 0, (f"{NAMED}broken",))),
        ("    def test_later(self):\n        self.skipTest('later')\n", 0, TestReport(total=3, failed=0, skipped=1)),
    ],
    ids=["as it is", "a failure", "an error", "a skip"],
)
def test_the_samples_report_counts_its_tests(tmp_path: Path, added: str, status: int, report: TestReport) -> None:
    place = tmp_path / "shop"
    shutil.copytree(FIRST, place)
    (file,) = (place / "tests").glob("test_*.py")
    file.write_text(file.read_text().replace("    def test_every", f"{added}\n    def test_every", 1))
    done = subprocess.run([sys.executable, "ci/unit_tests.py"], cwd=place, capture_output=True)
    assert done.returncode == status, done.stdout
    assert parse_junit((place / "reports" / "unit.xml").read_bytes()) == report
