"""A Go project: its tests, and the program that it makes."""

from __future__ import annotations

import re
from pathlib import Path

from tidegate.config.projects.files import health_path, is_plain_name, listening, sources, text_of
from tidegate.config.projects.project import Project, StarterStep


def go(repository: Path, service: str) -> Project:
    """The project in a folder with a go.mod."""
    files = list(sources(repository, ".go"))
    texts = [text_of(path) for path in files]
    has_tests = any(path.name.endswith("_test.go") for path in files)
    tests = StarterStep("unit tests", "go test ./...") if has_tests else _check()
    program = _program(repository, service)
    steps = [tests]
    if program:
        name, package = program
        steps.append(StarterStep("program", f"go build -trimpath -o dist/{name} {package}", artifact=f"dist/{name}"))
    command = listening(f"./{program[0]}", texts) if program else None
    return Project(
        kind="a Go project",
        language="Go",
        steps=tuple(steps),
        prepare=install_program(program[0]) if program and command else None,
        command=command,
        runs_artifact=command is not None,
        health=health_path(texts),
    )


def install_program(name: str) -> str:
    """An artifact is bytes: that it is a program has to be said again where it is installed."""
    return f'install -m 755 "$TIDEGATE_ARTIFACTS/{name}" {name}'


def _check() -> StarterStep:
    return StarterStep("check", "go vet ./...", is_check=True)


def _program(repository: Path, service: str) -> tuple[str, str] | None:
    """The name of the program and the package that is its main one: at the top, or the service's own below cmd/."""
    if any(_is_main(path) for path in sorted(repository.glob("*.go"))):
        return service, "."
    mains = sorted(
        {path.parent.name for path in repository.glob("cmd/*/*.go") if _is_main(path)},
        key=lambda name: (name != service, name),
    )
    names = [name for name in mains if is_plain_name(name)]
    return (names[0], f"./cmd/{names[0]}") if names and (len(names) == 1 or names[0] == service) else None


def _is_main(path: Path) -> bool:
    return not path.name.endswith("_test.go") and bool(re.search(r"^package main\b", text_of(path), re.MULTILINE))
