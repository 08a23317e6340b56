"""A container's image, from a Dockerfile or Containerfile, kept as one file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tidegate.config.projects.files import text_of
from tidegate.config.projects.project import StarterStep

FILES = ("Containerfile", "Dockerfile")
ARCHIVE = "image.tar"

_COMMANDS = {
    "buildah": "buildah bud --format oci --tag {tag} --file {file} .\nbuildah push --quiet {tag} oci-archive:{archive}",
    "podman": "podman build --quiet --tag {tag} --file {file} .\n"
    "podman save --quiet --format oci-archive --output {archive} {tag}",
    "docker": "docker build --quiet --tag {tag} --file {file} .\ndocker save --output {archive} {tag}",
}


def container_file(repository: Path) -> str | None:
    """The file that says how the image is built."""
    return next((name for name in FILES if (repository / name).is_file()), None)


def image(repository: Path, file: str, service: str, is_there: Callable[[str], bool]) -> StarterStep:
    """The step that builds it, with the first of the tools that are there."""
    tool = next((name for name in _COMMANDS if is_there(name)), "buildah")
    notes = [f"Where it runs, an agent needs {tool}."]
    pinned = _is_pinned(text_of(repository / file))
    if not pinned:
        notes.append("It always runs, because the image that it begins from may have changed; name that by its digest,")
        notes.append("and give the step inputs, so that it is taken from the cache.")
    return StarterStep(
        "image",
        _COMMANDS[tool].format(tag=f"localhost/{service}", file=file, archive=ARCHIVE),
        artifact=ARCHIVE,
        depends_on_files_only=pinned,
        notes=tuple(notes),
    )


def _is_pinned(text: str) -> bool:
    """Whether every image that it begins from is named by digest, or is a stage of its own."""
    begun = re.findall(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", text, re.MULTILINE | re.IGNORECASE)
    stages = {name.lower() for _, name in begun if name}
    names = [name for name, _ in begun]
    fetches = re.search(r"^\s*(RUN|ADD\s+https?:)", text, re.MULTILINE | re.IGNORECASE)
    fixed = all("@sha256:" in name or name == "scratch" or name.lower() in stages for name in names)
    return bool(names) and fixed and not fetches
