"""A Node project: what its package.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tidegate.config.projects.files import health_path, sources, table_in, text_of
from tidegate.config.projects.project import Project, StarterStep

_INSTALLS = {
    "package-lock.json": "npm ci",
    "npm-shrinkwrap.json": "npm ci",
    "yarn.lock": "yarn install --frozen-lockfile",
    "pnpm-lock.yaml": "pnpm install --frozen-lockfile",
}
"""How a package manager installs exactly what its lock file names."""

_FOR_SERVING = {"npm": "--omit=dev", "yarn": "--production", "pnpm": "--prod"}


def node(repository: Path) -> Project:
    """The project in a folder with a package.json."""
    package = _package_json(repository)
    scripts = table_in(package, "scripts")
    texts = [text_of(path) for path in sources(repository, ".js", ".mjs", ".ts")]
    needs = any(table_in(package, key) for key in ("dependencies", "devDependencies"))
    install = _install(repository) if needs else None
    manager = install.split()[0] if install else "npm"
    is_built = _is_script(scripts, "build")
    return Project(
        kind="a Node project",
        language="Node",
        setup=install,
        steps=_steps(scripts, manager),
        makes=("node_modules",) if install else (),
        prepare=_prepare(install, manager, is_built),
        command=_start(repository, scripts, manager),
        health=health_path(texts),
    )


def _install(repository: Path) -> str:
    return next((install for lock, install in _INSTALLS.items() if (repository / lock).is_file()), "npm install")


def _steps(scripts: dict[str, Any], manager: str) -> tuple[StarterStep, ...]:
    steps = []
    if _is_script(scripts, "test") and "no test specified" not in scripts["test"]:
        steps.append(StarterStep("unit tests", f"{manager} test"))
    else:
        every_file = "find . -name '*.js' -not -path '*/node_modules/*' -print0 | xargs -0 -n 1 node --check"
        steps.append(StarterStep("check", every_file, is_check=True))
    if _is_script(scripts, "build"):
        steps.append(StarterStep("build", f"{manager} run build"))
    return tuple(steps)


def _prepare(install: str | None, manager: str, is_built: bool) -> str | None:
    """What is built needs the tools for it; what is not, only what it runs with."""
    if is_built:
        return "\n".join(part for part in (install, f"{manager} run build") if part)
    return f"{install} {_FOR_SERVING[manager]}" if install else None


def _start(repository: Path, scripts: dict[str, Any], manager: str) -> str | None:
    if _is_script(scripts, "start"):
        return f"{manager} start"
    main = next((name for name in ("server.js", "index.js", "app.js") if (repository / name).is_file()), None)
    return f"node {main}" if main else None


def _is_script(scripts: dict[str, Any], name: str) -> bool:
    return isinstance(scripts.get(name), str)


def _package_json(repository: Path) -> dict[str, Any]:
    try:
        package = json.loads(text_of(repository / "package.json"))
    except (ValueError, RecursionError):
        return {}
    return package if isinstance(package, dict) else {}
