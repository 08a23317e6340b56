"""A Rust project: its tests, and the program that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tidegate.config.projects.files import health_path, listening, name_in, sources, table_in, text_of, toml_of
from tidegate.config.projects.go import install_program
from tidegate.config.projects.project import Project, StarterStep


def rust(repository: Path, service: str) -> Project:
    """The project in a folder with a Cargo.toml."""
    manifest = toml_of(repository / "Cargo.toml")
    texts = [text_of(path) for path in sources(repository, ".rs")]
    locked = " --locked" if (repository / "Cargo.lock").is_file() else ""
    all_of_them = " --workspace" if "workspace" in manifest else ""
    program = _program(repository, manifest, service)
    steps = [StarterStep("unit tests", f"cargo test{all_of_them}{locked}", notes=_unlocked(locked))]
    if program:
        run = f"cargo build --release --bin {program}{locked}"
        steps.append(StarterStep("program", run, artifact=f"target/release/{program}"))
    command = listening(f"./{program}", texts) if program else None
    return Project(
        kind="a Rust project",
        language="Rust",
        steps=tuple(steps),
        makes=("target",),
        prepare=install_program(program) if program and command else None,
        command=command,
        runs_artifact=command is not None,
        health=health_path(texts),
    )


def _unlocked(locked: str) -> tuple[str, ...]:
    if locked:
        return ()
    return ("Commit Cargo.lock and add --locked: then it is tested with the versions that you know.",)


def _program(repository: Path, manifest: dict[str, Any], service: str) -> str | None:
    """The one program of the package, or the one that is named like the service."""
    package = table_in(manifest, "package")
    listed = manifest.get("bin")
    names = [name for one in (listed if isinstance(listed, list) else ()) if (name := name_in(one, "name"))]
    name = name_in(package, "name")
    if name and name not in names and (repository / "src" / "main.rs").is_file() and not names:
        names.append(name)
    names += [path.stem for path in sorted((repository / "src" / "bin").glob("*.rs")) if path.stem not in names]
    wanted = name_in(package, "default-run") or service
    return wanted if wanted in names else names[0] if len(names) == 1 else None
