"""A Python project: a virtual environment, pytest or unittest, and a wheel where it is a package."""

from __future__ import annotations

from pathlib import Path

from tidegate.config.projects.files import health_path, reads_port, sources, table_in, takes_port, text_of, toml_of
from tidegate.config.projects.project import Project, StarterStep

VENV_PYTHON = ".venv/bin/python"
_BYTECODE = "**/__pycache__"
_NAMED = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "manage.py")


def is_named(repository: Path) -> bool:
    """Whether a file says that it is one, not only a script that lies about."""
    return any((repository / name).is_file() for name in _NAMED)


def has_scripts(repository: Path) -> bool:
    """Whether there are Python files at the top."""
    return any(path.parent == repository for path in sources(repository, ".py"))


def python(repository: Path, service: str, has_process: bool) -> Project:
    """The project in a folder; `has_process` says that a Procfile tells how it is started from a checkout."""
    files = list(sources(repository, ".py"))
    texts = [text_of(path) for path in files]
    wanted = _requirements(repository)
    tests = [path for path in files if _is_test(path)]
    by_pytest = _uses_pytest(repository, texts)
    is_packaged = bool(toml_of(repository / "pyproject.toml").get("build-system"))
    development = [f"-r {name}" for name in _development_requirements(repository)]
    installed = [*wanted, *development, *(["pytest"] if by_pytest and not development else [])]
    package = _package(repository, service)
    runs_wheel = is_packaged and not has_process and package is not None and package.startswith("-m ")
    in_venv = bool(wanted) or runs_wheel
    return Project(
        kind="a Python project",
        language="Python",
        setup=_virtual_environment(installed) or (_venv() if is_packaged else None),
        steps=(_tests(repository, tests, by_pytest, bool(installed)), *([_wheel()] if is_packaged else [])),
        makes=((".venv", _BYTECODE) if installed or is_packaged else (_BYTECODE,)),
        prepare=_install_wheel() if runs_wheel else _virtual_environment(wanted),
        command=_command(package, in_venv, texts),
        runs_artifact=runs_wheel,
        env={"PYTHONPATH": "src"} if (repository / "src").is_dir() and "." not in wanted and not runs_wheel else {},
        health=health_path(texts),
    )


def _venv() -> str:
    return "python3 -m venv .venv"


def _virtual_environment(installed: list[str]) -> str | None:
    if not installed:
        return None
    return f"{_venv()}\n{VENV_PYTHON} -m pip install --quiet {' '.join(installed)}"


def _wheel() -> StarterStep:
    run = f"{VENV_PYTHON} -m pip wheel --quiet --no-deps --wheel-dir dist ."
    return StarterStep("wheel", run, artifact="dist/*.whl")


def _install_wheel() -> str:
    return f'{_venv()}\n{VENV_PYTHON} -m pip install --quiet "$TIDEGATE_ARTIFACTS"/*.whl'


def _requirements(repository: Path) -> list[str]:
    """What pip is asked to install so that the project runs."""
    if (repository / "requirements.txt").is_file():
        return ["-r requirements.txt"]
    if (repository / "setup.py").is_file():
        return ["."]
    project = table_in(toml_of(repository / "pyproject.toml"), "project")
    return ["."] if project.get("dependencies") else []


def _development_requirements(repository: Path) -> list[str]:
    names = ("requirements-dev.txt", "requirements-test.txt", "dev-requirements.txt", "test-requirements.txt")
    return [name for name in names if (repository / name).is_file()]


def _is_test(path: Path) -> bool:
    return path.name.startswith("test_") or path.name.endswith("_test.py")


def _uses_pytest(repository: Path, texts: list[str]) -> bool:
    configured = ("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", *_development_requirements(repository))
    if any("pytest" in text_of(repository / name) for name in (*configured, "requirements.txt")):
        return True
    return any("import pytest" in text for text in texts)


def _tests(repository: Path, files: list[Path], by_pytest: bool, in_venv: bool) -> StarterStep:
    python = VENV_PYTHON if in_venv else "python3"
    if not files:
        every_file = "find . -name '*.py' -not -path './.*' -exec python3 -m py_compile {} +"
        return StarterStep("check", every_file, is_check=True)
    if by_pytest:
        junit = "reports/unit.xml"
        # this family of reports tells the file of each test, and so what pytest calls it
        run = f"{python} -m pytest -q -o junit_family=xunit1 --junitxml={junit}"
        return StarterStep("unit tests", run, junit=junit, failed_first=f'{run} "@$TIDEGATE_FAILED_TESTS"')
    folder = next((name for name in ("tests", "test") if (repository / name).is_dir()), None)
    where = ""
    if folder:
        where = f" -s {folder} -t ." if (repository / folder / "__init__.py").is_file() else f" -s {folder}"
    pattern = "" if any(path.name.startswith("test_") for path in files) else " -p '*_test.py'"
    return StarterStep("unit tests", f"{python} -m unittest discover{where}{pattern}")


def _package(repository: Path, service: str) -> str | None:
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


def _command(package: str | None, in_venv: bool, texts: list[str]) -> str | None:
    if package is None:
        return None
    command = f"{VENV_PYTHON if in_venv else 'python3'} {package}"
    return f'{command} --port "$PORT"' if takes_port(texts) and not reads_port(texts) else command
