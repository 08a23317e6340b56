"""The builds that `tidegate init` writes do their work when they are run; nothing in them needs a network here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tidegate.agent.collect import read_reports, read_reports_of_failed
from tidegate.agent.confined import ConfinedFolder
from tidegate.agent.failed_first import VARIABLE, names_in_file
from tidegate.config.starter import starter_yaml
from tidegate.config.tidegate_yaml import load
from tidegate.model.lease import TestReport
from tidegate.model.pipeline import Pipeline

TEST = """\
import unittest
import shop

class ShopTest(unittest.TestCase):
    def test_x(self):
        self.assertEqual(shop.X, 1)
"""


def require_tool(tool: str) -> None:
    """Skip where a tool of the projects that are built is missing; fail where everything has to be there."""
    if shutil.which(tool) is not None:
        return
    if os.environ.get("TIDEGATE_TEST_REQUIRE_ALL") == "1":
        pytest.fail(f"{tool} is missing, and TIDEGATE_TEST_REQUIRE_ALL=1 allows no skip")
    pytest.skip(f"{tool} is not on this machine")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run_build(folder: Path, **env: str) -> int:
    """Run what was written, setup first, each step after those before it; the first exit code that is not 0."""
    pipeline = load(starter_yaml(folder, "shop"))
    scripts = [pipeline.build.setup.run] if pipeline.build.setup else []
    for script in (*scripts, *(step.run for step in pipeline.build.steps)):
        if code := run_script(folder, script, **env):
            return code
    _assert_made(folder, pipeline)
    return 0


def run_script(folder: Path, script: str, **env: str) -> int:
    """Run one script as an agent does; its exit code."""
    command = ("sh", "-eu", "-c", script)
    ended = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=120)
    if ended.returncode:
        print(script, ended.stdout, ended.stderr, sep="\n")
    return ended.returncode


def _assert_made(folder: Path, pipeline: Pipeline) -> None:
    """That every artifact and report is where the file says, as an agent would look for it."""
    for step in pipeline.build.steps:
        for pattern in step.artifacts.values():
            assert len(list(folder.glob(pattern))) == 1, pattern
        assert step.junit is None or list(folder.glob(step.junit))


@pytest.mark.parametrize("test_file", ["tests/test_shop.py", "test/shop_test.py", "test_shop.py"])
def test_the_step_runs_the_tests_of_a_python_project_and_fails_when_they_do(tmp_path: Path, test_file: str) -> None:
    write(tmp_path, {test_file: TEST, "shop.py": "X = 1\n"})
    assert run_build(tmp_path) == 0
    write(tmp_path, {"shop.py": "X = 'two'\n"})
    assert run_build(tmp_path) != 0


def test_what_is_written_for_pytest_runs_exactly_the_tests_that_failed_first(tmp_path: Path) -> None:
    cases = (
        "import pytest\nclass TestX:\n    @pytest.mark.parametrize('a', ['b c', 'd::e'])\n    def test_y(self, a):\n"
    )
    broken = cases + "        assert a != 'd::e'\ndef test_z(): pass\n"
    write(tmp_path, {"tests/test_a.py": broken, "pytest.ini": "[pytest]\n", "requirements.txt": "x\n"})
    write(tmp_path, {".venv/bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'})
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    (step,) = load(starter_yaml(tmp_path, "shop")).build.steps
    assert step.failed_first is not None
    assert run_script(tmp_path, step.run) == 1
    failing = ("tests/test_a.py::TestX::test_y[d::e]",)
    assert read_reports(step, ConfinedFolder(tmp_path)).tests == TestReport(3, 1, 0, failing)
    (tmp_path / "failed").write_text(names_in_file(failing))
    again = {VARIABLE: str(tmp_path / "failed")}
    assert run_script(tmp_path, step.failed_first, **again) == 1
    assert read_reports(step, ConfinedFolder(tmp_path)).tests == TestReport(1, 1, 0, failing)
    write(tmp_path, {"tests/test_a.py": cases + "        pass\n"})
    assert run_script(tmp_path, step.failed_first, **again) == 0


def test_without_tests_the_step_finds_a_file_that_is_no_python(tmp_path: Path) -> None:
    write(tmp_path, {"shop.py": "X = 1\n"})
    assert run_build(tmp_path) == 0
    write(tmp_path, {"other.py": "X = = 1\n"})
    assert run_build(tmp_path) != 0


BACKEND = """\
import pathlib, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "shop-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("shop/__main__.py", "")
        wheel.writestr("shop-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n")
        wheel.writestr("shop-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("shop-1.0.dist-info/RECORD", "")
    return name
"""
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "shop"
version = "1.0"
"""


def test_a_python_package_is_made_into_the_wheel_that_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT, "backend.py": BACKEND, "shop/__main__.py": "", "test_a.py": ""})
    write(
        tmp_path,
        {
            "shop.py": "",
            "test_a.py": "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n",
        },
    )
    assert run_build(tmp_path) == 0


def test_the_step_runs_the_tests_of_a_node_project_and_fails_when_they_do(tmp_path: Path) -> None:
    require_tool("npm")
    test = "const assert = require('node:assert'); assert.equal(require('./shop.js').x, 1);\n"
    package = '{"name": "shop", "scripts": {"test": "node test.js", "build": "mkdir -p dist && cp shop.js dist"}}'
    write(tmp_path, {"package.json": package, "test.js": test, "shop.js": "exports.x = 1;\n"})
    assert run_build(tmp_path) == 0
    write(tmp_path, {"shop.js": "exports.x = 2;\n"})
    assert run_build(tmp_path) != 0


def test_without_tests_the_step_finds_a_file_that_is_no_javascript(tmp_path: Path) -> None:
    require_tool("node")
    write(tmp_path, {"package.json": '{"name": "shop"}', "shop.js": "exports.x = 1;\n"})
    assert run_build(tmp_path) == 0
    write(tmp_path, {"other.js": "x = = 1\n"})
    assert run_build(tmp_path) != 0


MAIN = """\
fn main() { println!("{}", one()); }
fn one() -> u8 { 1 }

#[test]
fn it_is_one() { assert_eq!(one(), 1); }
"""


def test_a_rust_project_is_tested_and_made_into_the_program_that_is_named(tmp_path: Path) -> None:
    require_tool("cargo")
    write(tmp_path, {"Cargo.toml": '[package]\nname = "shop-server"\nversion = "0.1.0"\nedition = "2021"\n'})
    write(tmp_path, {"src/main.rs": MAIN})
    assert run_build(tmp_path, CARGO_NET_OFFLINE="true") == 0
    assert (tmp_path / "Cargo.lock").is_file()
    assert run_build(tmp_path, CARGO_NET_OFFLINE="true") == 0, "with --locked, too"
    write(tmp_path, {"src/main.rs": MAIN.replace("{ 1 }", "{ 2 }")})
    assert run_build(tmp_path, CARGO_NET_OFFLINE="true") != 0


def test_a_go_project_is_tested_and_made_into_the_program_that_is_named(tmp_path: Path) -> None:
    require_tool("go")
    test = 'package main\n\nimport "testing"\n\nfunc TestOne(t *testing.T) { if one() != 1 { t.Fail() } }\n'
    main = "package main\n\nfunc main() { println(one()) }\nfunc one() int { return 1 }\n"
    write(tmp_path, {"go.mod": "module shop\n\ngo 1.21\n", "main.go": main, "main_test.go": test})
    assert run_build(tmp_path, GOFLAGS="-mod=mod", GOPROXY="off") == 0
    write(tmp_path, {"main.go": main.replace("return 1", "return 2")})
    assert run_build(tmp_path, GOFLAGS="-mod=mod", GOPROXY="off") != 0


POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>shop</groupId><artifactId>shop</artifactId><version>1.0</version>
<properties>
<maven.compiler.release>17</maven.compiler.release>
<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
</properties>
<dependencies><dependency>
<groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>5.11.4</version><scope>test</scope>
</dependency></dependencies>
<build><plugins>
<plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
<plugin><artifactId>maven-surefire-plugin</artifactId><version>3.2.5</version></plugin>
<plugin><artifactId>maven-jar-plugin</artifactId><version>3.4.2</version></plugin>
</plugins></build>
</project>
"""
JAVA_TEST = """\
import org.junit.jupiter.api.Test;
import static org.junit.jupiter.api.Assertions.assertEquals;

class {name} {{
    @Test void one() {{ assertEquals(1, Shop.ONE); }}
    @Test void other() {{ assertEquals(2, Shop.ONE + 1); }}
}}
"""


def test_a_maven_project_is_made_into_its_jar_and_the_tests_of_all_classes_count(tmp_path: Path) -> None:
    require_tool("mvn")
    shop = "class Shop { static final int ONE = 1; }\n"
    write(tmp_path, {"pom.xml": POM, "src/main/java/Shop.java": shop, ".mvn/maven.config": "--offline\n"})
    for name in ("FirstTest", "SecondTest"):
        write(tmp_path, {f"src/test/java/{name}.java": JAVA_TEST.format(name=name)})
    trial = subprocess.run(("mvn", "--batch-mode", "package"), cwd=tmp_path, capture_output=True, text=True)
    shutil.rmtree(tmp_path / "target", ignore_errors=True)
    if "in offline mode" in trial.stdout:
        pytest.skip("what Maven needs is not on this machine")
    assert run_build(tmp_path) == 0
    (step,) = load(starter_yaml(tmp_path, "shop")).build.steps
    assert read_reports(step, ConfinedFolder(tmp_path)).tests == TestReport(total=4, failed=0, skipped=0)
    write(tmp_path, {"src/main/java/Shop.java": shop.replace("= 1", "= 2")})
    assert run_build(tmp_path) != 0
    assert read_reports_of_failed(step, ConfinedFolder(tmp_path)).tests == TestReport(
        4, 4, 0, ("FirstTest::one", "FirstTest::other", "SecondTest::one", "SecondTest::other")
    )


def test_an_image_is_made_into_one_file_of_the_open_format(tmp_path: Path) -> None:
    require_tool("buildah")
    (tmp_path / "home").mkdir()
    write(tmp_path, {"Dockerfile": "FROM scratch\nCOPY shop.txt /shop.txt\n", "shop.txt": "hello\n"})
    kept = {"HOME": str(tmp_path / "home"), "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    trial = subprocess.run(
        ("buildah", "images"), env={**os.environ, **kept}, capture_output=True, text=True, timeout=60
    )
    if trial.returncode:
        pytest.skip(f"buildah cannot work here: {trial.stderr.strip()}")
    assert run_build(tmp_path, **kept) == 0
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert "oci-layout" in archive.getnames()
