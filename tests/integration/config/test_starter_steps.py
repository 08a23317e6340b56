"""The commands that `tidegate init` writes do their work when they are run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tidegate.config.starter import starter_yaml
from tidegate.config.tidegate_yaml import load

TEST = """\
import unittest
import shop

class ShopTest(unittest.TestCase):
    def test_x(self):
        self.assertEqual(shop.X, 1)
"""


def run_build(folder: Path) -> int:
    pipeline = load(starter_yaml(folder, "shop"))
    assert pipeline.build.setup is None
    (step,) = pipeline.build.steps
    command = ("sh", "-eu", "-c", step.run)
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=60).returncode


@pytest.mark.parametrize("test_file", ["tests/test_shop.py", "test/shop_test.py", "test_shop.py"])
def test_the_step_runs_the_tests_of_a_python_project_and_fails_when_they_do(tmp_path: Path, test_file: str) -> None:
    (tmp_path / test_file).parent.mkdir(exist_ok=True)
    (tmp_path / test_file).write_text(TEST)
    (tmp_path / "shop.py").write_text("X = 1\n")
    assert run_build(tmp_path) == 0
    (tmp_path / "shop.py").write_text("X = 'two'\n")
    assert run_build(tmp_path) != 0


def test_without_tests_the_step_finds_a_file_that_is_no_python(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("X = 1\n")
    assert run_build(tmp_path) == 0
    (tmp_path / "other.py").write_text("X = = 1\n")
    assert run_build(tmp_path) != 0
