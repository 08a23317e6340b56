"""Which projects a folder holds, and how they are one build."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.config.projects.files import is_ignored, web_process
from tidegate.config.projects.go import go
from tidegate.config.projects.image import ARCHIVE, container_file, image
from tidegate.config.projects.java import gradle, is_gradle, maven
from tidegate.config.projects.node import node
from tidegate.config.projects.project import Project, StarterStep
from tidegate.config.projects.python import has_scripts, is_named, python
from tidegate.config.projects.rust import rust


@dataclass(frozen=True, slots=True)
class Repository:
    """All that was recognised in a folder. `runtime` is the project that is started, None where that is not known.

    `image` needs every other step, and finds what they make.
    """

    kind: str
    setup: str | None = None
    steps: tuple[tuple[StarterStep, str | None], ...] = ()
    """Each step with the name of its artifact."""

    makes: tuple[str, ...] = ()
    image: StarterStep | None = None
    runtime: Project | None = None
    artifact: str | None = None
    """The name of the artifact that is started."""

    health: str = "/"


def _is_installed(tool: str) -> bool:
    return shutil.which(tool) is not None


def recognise(folder: Path, service: str, is_there: Callable[[str], bool] = _is_installed) -> Repository:
    """What is in a folder; `is_there` says which tools this machine has. Nothing in the folder is run."""
    web = web_process(folder)
    projects = list(_projects(folder, service, web is not None))
    file = container_file(folder)
    built = image(folder, file, service, is_there) if file else None
    named = [one for one in projects if one.language]
    steps = tuple(_steps(named, service))
    runtime = _runtime(projects, web)
    return Repository(
        kind=_kind(projects, file),
        setup="\n".join(one.setup for one in projects if one.setup) or None,
        steps=steps or tuple((step, None) for one in projects for step in one.steps),
        makes=tuple(path for path in _made(projects, built is not None) if not is_ignored(folder, path)),
        image=built,
        runtime=runtime,
        artifact=_artifact_name(named, runtime, service) if runtime and runtime.runs_artifact else None,
        health=next((one.health for one in (runtime, *projects) if one and one.health != "/"), "/"),
    )


def _projects(folder: Path, service: str, has_process: bool) -> Iterator[Project]:
    """The projects, those first that more often serve than help."""
    others = list(_compiled(folder, service))
    has_package = (folder / "package.json").is_file()
    if is_named(folder) or (not others and not has_package and has_scripts(folder)):
        yield python(folder, service, has_process)
    yield from others
    if has_package:
        yield node(folder)
    elif not others and not is_named(folder) and not has_scripts(folder) and (folder / "index.html").is_file():
        serve = 'python3 -m http.server --bind 127.0.0.1 "$PORT"'
        check = StarterStep("check", "test -s index.html", is_check=True)
        yield Project("a folder of web pages", steps=(check,), command=serve)


def _compiled(folder: Path, service: str) -> Iterator[Project]:
    if (folder / "pom.xml").is_file():
        yield maven(folder, service)
    elif is_gradle(folder):
        yield gradle(folder, service)
    if (folder / "go.mod").is_file():
        yield go(folder, service)
    if (folder / "Cargo.toml").is_file():
        yield rust(folder, service)


def _made(projects: Sequence[Project], with_image: bool) -> tuple[str, ...]:
    """What the build writes, exactly: a folder of that name in the repository may hold something else as well."""
    found = [path for one in projects for path in one.makes]
    for step in (step for one in projects for step in one.steps):
        found += [path for path in (step.junit, step.artifact) if path and path.split("/")[0] not in found]
    return tuple(dict.fromkeys([*found, *([ARCHIVE] if with_image else [])]))


def _kind(projects: Sequence[Project], file: str | None) -> str:
    kinds = [one.kind for one in projects] + ([f"an image by {file}"] if file else [])
    return " and ".join(kinds) if kinds else ""


def _steps(projects: Sequence[Project], service: str) -> Iterator[tuple[StarterStep, str | None]]:
    """All steps; with several projects, each says whose it is. A check stands only where nothing else does."""
    several = len(projects) > 1
    are_all_checks = all(step.is_check for one in projects for step in one.steps)
    for project in projects:
        for step in project.steps:
            if step.is_check and several and not are_all_checks:
                continue
            name = f"{project.language} {step.name}" if several else step.name
            yield replace(step, name=name), _name_for(projects, project, service) if step.artifact else None


def _name_for(projects: Sequence[Project], project: Project, service: str) -> str:
    """The first artifact is called like the service, the others say whose they are."""
    first = next((one for one in projects if one.artifact), project)
    return service if project is first else f"{service}-{project.language.lower()}"


def _runtime(projects: Sequence[Project], web: str | None) -> Project | None:
    """The project that is started: as it is known to be, or as the Procfile says, with all prepared for it."""
    if web:
        prepared = "\n".join(part for one in projects if (part := _made_in_place(one))) or None
        env = {name: value for one in projects for name, value in one.env.items()}
        return Project("a project with a Procfile", prepare=prepared, command=web, env=env)
    return next((one for one in projects if one.command), None)


def _made_in_place(project: Project) -> str | None:
    """What makes a checkout of the commit ready to be started."""
    if project.language in ("Python", "Node"):
        return project.prepare
    return next((step.run for step in project.steps if step.artifact), None)


def _artifact_name(projects: Sequence[Project], runtime: Project, service: str) -> str | None:
    return _name_for(projects, runtime, service) if runtime.artifact else None
