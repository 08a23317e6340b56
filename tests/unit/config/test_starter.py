"""What `tidegate init` writes into a repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.config.starter import starter_yaml
from tidegate.config.tidegate_yaml import load
from tidegate.model.environment import DEFAULT_ENVIRONMENTS
from tidegate.model.pipeline import Pipeline, Setup, Strategy


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def started(folder: Path, files: dict[str, str], service: str = "shop") -> Pipeline:
    write(folder, files)
    return load(starter_yaml(folder, service), "tidegate.yaml", DEFAULT_ENVIRONMENTS)


UNITTEST = "import unittest\n"
SERVICE = {"shop.py": "import os\nport = os.environ['PORT']\nok = '/healthz'\n", "tests/test_shop.py": UNITTEST}


def test_a_service_without_users_is_switched_blue_green_and_judged_by_synthetic_requests(tmp_path: Path) -> None:
    pipeline = started(tmp_path, SERVICE)
    assert [(stage.name, stage.environment) for stage in pipeline.stages] == [
        ("staging", "staging"),
        ("production", "production"),
    ]
    for stage in pipeline.stages:
        assert stage.deploy is not None
        assert stage.deploy.strategy is Strategy.BLUE_GREEN
        assert stage.verify is not None
        assert stage.verify.traffic is not None
        assert stage.verify.soak.total_seconds() <= 60
    assert pipeline.runtime is not None
    assert pipeline.runtime.health.path == "/healthz"


def test_one_person_alone_is_not_asked_for_a_second_one(tmp_path: Path) -> None:
    assert all(stage.gate.approvals is None for stage in started(tmp_path, SERVICE).stages)


@pytest.mark.parametrize(
    ("files", "setup", "run", "command"),
    [
        (SERVICE, None, "python3 -m unittest discover -s tests", "python3 shop.py"),
        (
            {"shop.py": "add('--port')", "tests/__init__.py": "", "tests/test_shop.py": UNITTEST},
            None,
            "python3 -m unittest discover -s tests -t .",
            'python3 shop.py --port "$PORT"',
        ),
        (
            {"shop/__main__.py": "", "shop/x_test.py": UNITTEST, "pyproject.toml": "[project]\nname='shop'\n"},
            None,
            "python3 -m unittest discover -p '*_test.py'",
            "python3 -m shop",
        ),
        (
            {"requirements.txt": "x\n", "app.py": "", "tests/test_a.py": "import pytest\n"},
            "python3 -m venv .venv\n.venv/bin/python -m pip install --quiet -r requirements.txt pytest\n",
            ".venv/bin/python -m pytest -q -o junit_family=xunit1 --junitxml=reports/unit.xml",
            ".venv/bin/python app.py",
        ),
        (
            {
                "pyproject.toml": "[project]\nname='shop'\ndependencies=['x']\n[tool.pytest.ini_options]\n",
                **{"requirements-dev.txt": "pytest\n", "src/a/__main__.py": "", "src/shop/__main__.py": ""},
                "tests/test_a.py": "",
            },
            "python3 -m venv .venv\n.venv/bin/python -m pip install --quiet . -r requirements-dev.txt\n",
            ".venv/bin/python -m pytest -q -o junit_family=xunit1 --junitxml=reports/unit.xml",
            ".venv/bin/python -m shop",
        ),
        ({"package.json": '{"scripts": {"test": "jest", "start": "node x"}}'}, None, "npm test", "npm start"),
        (
            {"package.json": '{"scripts": {"test": "x"}, "dependencies": {"a": "1"}}', "server.js": ""},
            "npm install",
            "npm test",
            "node server.js",
        ),
        (
            {"package.json": '{"scripts": {"test": "x"}, "devDependencies": {"a": "1"}}', "package-lock.json": "{}"}
            | {"Procfile": "worker: x\nweb: node web.js: 'it''s' #1\n"},
            "npm ci",
            "npm test",
            "node web.js: 'it''s' #1",
        ),
        ({"index.html": "<p>"}, None, "test -s index.html", 'python3 -m http.server --bind 127.0.0.1 "$PORT"'),
        ({"Procfile": "web: ./serve"}, None, "ls -l", "./serve"),
    ],
)
def test_a_project_is_recognised_by_its_files(
    tmp_path: Path, files: dict[str, str], setup: str | None, run: str, command: str
) -> None:
    pipeline = started(tmp_path, files)
    assert pipeline.build.setup == (Setup(setup) if setup else None)
    assert [step.run for step in pipeline.build.steps] == [run]
    assert pipeline.runtime is not None
    assert pipeline.runtime.command == command


@pytest.mark.parametrize(
    "files", [{}, {"main.c": "int main;"}, {"shop/__init__.py": "", "setup.cfg": ""}, {"package.json": "["}]
)
def test_what_cannot_be_started_is_only_built_and_the_rest_waits_as_a_comment(
    tmp_path: Path, files: dict[str, str]
) -> None:
    pipeline = started(tmp_path, files)
    assert pipeline.runtime is None
    assert pipeline.stages == ()
    head, _, commented = starter_yaml(tmp_path, "shop").partition("following lines.\n")
    uncommented = "".join(line.removeprefix("#").removeprefix(" ") + "\n" for line in commented.splitlines())
    assert len(load(head + "following lines.\n" + uncommented).stages) == 2


def test_a_folder_name_that_is_no_service_name_becomes_one(tmp_path: Path) -> None:
    assert started(tmp_path, {}, "My Café_Shop").service == "my-caf-shop"
    assert started(tmp_path, {}, "日本").service == "service"
    assert started(tmp_path, {}, "1.5").service == "1-5"
    assert started(tmp_path, {}, "42").service == "42"
    assert started(tmp_path, {}, "null").service == "null"


def test_other_peoples_code_and_hidden_folders_are_not_looked_into(tmp_path: Path) -> None:
    files = {f"{folder}/test_x.py": "import pytest" for folder in (".venv", "node_modules", "venv")}
    pipeline = started(tmp_path, {**files, "app.py": ""})
    assert pipeline.build.setup is None
    assert "py_compile" in pipeline.build.steps[0].run


KEYS = st.sampled_from(["test", "start", "a"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=5,
)

BUILD_FILES = (
    *("pyproject.toml", "Cargo.toml", "Cargo.lock", "go.mod", "main.go", "pom.xml", "build.gradle", "settings.gradle"),
    *("Dockerfile", ".gitignore", "yarn.lock", "index.html", "app.py", ".git"),
)
BUILD_TEXTS = st.sampled_from(
    [
        "[project]\ndependencies = 5\n",
        "build-system = 3\n",
        "[build-system]\n[package]\nname = 'a'\n[[bin]]\nname = 'b'\n",
        "bin = [1, {name = ['x']}]\n[package]\ndefault-run = 'x'\n",
        "package main // PORT '--port'",
        "<project><artifactId>a: b</artifactId><version>'1</version></project>",
        "<project><artifactId>a</artifactId><version>1</version><x><mainClass/></x></project>",
        "<project><packaging/><build><finalName>*</finalName></build></project>",
        "rootProject.name = 'a'\n",
        "version = '*'\norg.springframework.boot",
        "FROM\nFROM x AS y\n",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    service=st.text(max_size=70),
    package=st.none() | st.dictionaries(st.sampled_from(["scripts", "dependencies", "devDependencies"]), JSON),
    procfile=st.text(max_size=20).map("web: {}".format) | st.text(max_size=20),
    others=st.dictionaries(st.sampled_from([*BUILD_FILES]), st.text(max_size=20) | BUILD_TEXTS, max_size=4),
)
def test_whatever_the_repository_holds_the_file_is_valid(
    tmp_path: Path, service: str, package: object, procfile: str, others: dict[str, str]
) -> None:
    for name, text in {
        **dict.fromkeys(BUILD_FILES),
        "package.json": json.dumps(package) if package is not None else None,
        "Procfile": procfile,
        **others,
    }.items():
        (tmp_path / name).unlink(missing_ok=True)
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    load(starter_yaml(tmp_path, service), "tidegate.yaml", DEFAULT_ENVIRONMENTS)
