"""What a repository holds, as far as its files tell: how it is tested and how it is started."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_SOURCES = 200
"""Files that are looked into for a port or a health check."""

LARGEST_SOURCE = 256 * 1024
"""Bytes. What is larger was not written by hand."""

VENV_PYTHON = ".venv/bin/python"
_HEALTH_PATHS = ("/healthz", "/health", "/readyz", "/ping")
_NOT_SOURCES = frozenset({"node_modules", "venv", "build", "dist", "site-packages"})


@dataclass(frozen=True, slots=True)
class Project:
    """What was recognised. None where the files do not tell; `junit` is the report that `tests` writes."""

    kind: str
    setup: str | None = None
    tests: str | None = None
    junit: str | None = None
    check: str | None = None
    """What can be run instead where there are no tests."""

    prepare: str | None = None
    command: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    health: str = "/"


def recognise(repository: Path, service: str) -> Project | None:
    """The project in a folder, None where it is of no kind that is known. Nothing in it is run."""
    command = _web_process(repository)
    if _is_python(repository):
        return _python(repository, service, command)
    if (repository / "package.json").is_file():
        return _node(repository, command)
    if (repository / "index.html").is_file():
        serve = command or 'python3 -m http.server --bind 127.0.0.1 "$PORT"'
        return Project("a folder of web pages", check="test -s index.html", command=serve)
    return Project("a project with a Procfile", command=command) if command else None


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:LARGEST_SOURCE].decode("utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def _web_process(repository: Path) -> str | None:
    """The `web` line of a Procfile."""
    for line in _text(repository / "Procfile").splitlines():
        name, colon, command = line.partition(":")
        if colon and name.strip() == "web" and command.strip() and command.strip().isprintable():
            return command.strip()
    return None


def _sources(repository: Path, ending: str) -> Iterator[Path]:
    """Source files, those near the top first; hidden folders and those of other people's code are passed over."""
    folders, found = [repository], 0
    for folder in folders:
        if len(folders) > MOST_SOURCES:
            return
        try:
            inside = sorted(folder.iterdir())
        except OSError:
            continue
        for path in inside:
            if path.is_symlink() or path.name.startswith(".") or path.name in _NOT_SOURCES:
                continue
            if path.is_dir():
                folders.append(path)
            elif path.suffix == ending:
                yield path
                found += 1
                if found == MOST_SOURCES:
                    return


def _health_path(texts: list[str]) -> str:
    return next(
        (path for path in _HEALTH_PATHS if any(f'{path}"' in text or f"{path}'" in text for text in texts)), "/"
    )


# Python


def _is_python(repository: Path) -> bool:
    named = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "manage.py")
    return any((repository / name).is_file() for name in named) or any(
        path.parent == repository for path in _sources(repository, ".py")
    )


def _python(repository: Path, service: str, command: str | None) -> Project:
    texts = [_text(path) for path in _sources(repository, ".py")]
    wanted = _python_requirements(repository)
    test_files = [path for path in _sources(repository, ".py") if _is_python_test(path)]
    by_pytest = _uses_pytest(repository, texts)
    development = [f"-r {name}" for name in _development_requirements(repository)]
    installed = [*wanted, *development, *(["pytest"] if by_pytest and not development else [])]
    tests = _python_tests(repository, test_files, by_pytest, bool(installed)) if test_files else None
    package = _python_package(repository, service)
    in_src = (repository / "src").is_dir() and "." not in wanted
    return Project(
        kind="a Python project",
        setup=_virtual_environment(installed),
        tests=tests,
        junit="reports/unit.xml" if tests and by_pytest else None,
        check="find . -name '*.py' -not -path './.*' -exec python3 -m py_compile {} +",
        prepare=_virtual_environment(wanted),
        command=command or _python_command(package, bool(wanted), texts),
        env={"PYTHONPATH": "src"} if in_src else {},
        health=_health_path(texts),
    )


def _virtual_environment(installed: list[str]) -> str | None:
    if not installed:
        return None
    return f"python3 -m venv .venv\n{VENV_PYTHON} -m pip install --quiet {' '.join(installed)}"


def _python_requirements(repository: Path) -> list[str]:
    """What pip is asked to install so that the project runs."""
    if (repository / "requirements.txt").is_file():
        return ["-r requirements.txt"]
    if (repository / "setup.py").is_file():
        return ["."]
    project = _table(repository / "pyproject.toml").get("project")
    return ["."] if isinstance(project, dict) and project.get("dependencies") else []


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _development_requirements(repository: Path) -> list[str]:
    names = ("requirements-dev.txt", "requirements-test.txt", "dev-requirements.txt", "test-requirements.txt")
    return [name for name in names if (repository / name).is_file()]


def _is_python_test(path: Path) -> bool:
    return path.name.startswith("test_") or path.name.endswith("_test.py")


def _uses_pytest(repository: Path, texts: list[str]) -> bool:
    configured = ("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", *_development_requirements(repository))
    if any("pytest" in _text(repository / name) for name in (*configured, "requirements.txt")):
        return True
    return any("import pytest" in text for text in texts)


def _python_tests(repository: Path, files: list[Path], by_pytest: bool, in_venv: bool) -> str:
    python = VENV_PYTHON if in_venv else "python3"
    if by_pytest:
        return f"{python} -m pytest -q --junitxml=reports/unit.xml"
    folder = next((name for name in ("tests", "test") if (repository / name).is_dir()), None)
    where = ""
    if folder:
        where = f" -s {folder} -t ." if (repository / folder / "__init__.py").is_file() else f" -s {folder}"
    pattern = "" if any(path.name.startswith("test_") for path in files) else " -p '*_test.py'"
    return f"{python} -m unittest discover{where}{pattern}"


def _python_package(repository: Path, service: str) -> str | None:
    """What `python3` is given to start the service: `-m PACKAGE`, or a file; the one named like the service first."""
    name = service.replace("-", "_")
    roots = [folder for folder in (repository, repository / "src") if folder.is_dir()]
    packages = sorted(
        (path.parent.name for root in roots for path in root.glob("*/__main__.py") if path.parent.name.isidentifier()),
        key=lambda package: (package != name, package),
    )
    if packages:
        return f"-m {packages[0]}"
    files = (f"{name}.py", "app.py", "main.py", "server.py", "service.py")
    return next((file for file in files if (repository / file).is_file()), None)


def _python_command(package: str | None, in_venv: bool, texts: list[str]) -> str | None:
    if package is None:
        return None
    command = f"{VENV_PYTHON if in_venv else 'python3'} {package}"
    reads_port = any('"PORT"' in text or "'PORT'" in text for text in texts)
    takes_port = any('"--port"' in text or "'--port'" in text for text in texts)
    return f'{command} --port "$PORT"' if takes_port and not reads_port else command


# Node


def _node(repository: Path, command: str | None) -> Project:
    package = _package_json(repository)
    scripts = package.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    texts = [_text(path) for ending in (".js", ".mjs", ".ts") for path in _sources(repository, ending)]
    needs = any(isinstance(package.get(key), dict) and package[key] for key in ("dependencies", "devDependencies"))
    locked = (repository / "package-lock.json").is_file()
    has_tests = isinstance(scripts.get("test"), str) and "no test specified" not in scripts["test"]
    install = ("npm ci" if locked else "npm install") if needs else None
    main = next((name for name in ("server.js", "index.js", "app.js") if (repository / name).is_file()), None)
    start = "npm start" if isinstance(scripts.get("start"), str) else f"node {main}" if main else None
    return Project(
        kind="a Node project",
        setup=install,
        tests="npm test" if has_tests else None,
        check="find . -name '*.js' -not -path '*/node_modules/*' -print0 | xargs -0 -n 1 node --check",
        prepare=f"{install} --omit=dev" if install else None,
        command=command or start,
        health=_health_path(texts),
    )


def _package_json(repository: Path) -> dict[str, Any]:
    try:
        package = json.loads(_text(repository / "package.json"))
    except (ValueError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}
