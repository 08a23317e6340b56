"""The definition of a build: `tidegate.yaml` of a folder, read again only when it, or Tidegate, has changed."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import tidegate
from tidegate.builder import sealed
from tidegate.builder.cache import Cache
from tidegate.model.service_folder import service_folder

FILE = "tidegate.yaml"
_FORMAT = 1
_PACKAGE = Path(tidegate.__file__).parent


@dataclass(frozen=True, slots=True)
class Definition:
    """What a file says of its build: as plain values, which `definition_json.build_of_json` takes.

    `folder` is the service's: where steps run, and where their patterns begin.
    """

    service: str
    branch: str | None
    folder: Path
    build: dict[str, Any]


def read_definition(file: Path, cache: Cache) -> Definition:
    """The definition in a file. Raises OSError, and ConfigError with everything that is wrong in it."""
    raw = file.read_bytes()
    kept = cache.root / "definitions" / hashlib.sha256(f"{_reader()}\0".encode() + raw).hexdigest()
    value = sealed.read(kept)
    if value is None:
        value = _value(raw, file)
        with suppress(OSError):
            sealed.write(kept, value)
    folder = Path(service_folder(PurePosixPath(file.parent.resolve()), value["path"]))
    return Definition(value["service"], value["branch"], folder, value["build"])


def _value(raw: bytes, file: Path) -> dict[str, Any]:
    from tidegate.builder.definition_json import build_json
    from tidegate.config import document
    from tidegate.config.tidegate_yaml import load

    pipeline = load(document.decode(raw, str(file)), str(file))
    return {
        "service": pipeline.service,
        "branch": pipeline.branch,
        "path": pipeline.path,
        "build": build_json(pipeline.build),
    }


def _reader() -> str:
    """What names the code that reads such files: another version of it may read another meaning."""
    others = (_PACKAGE / "model" / "pipeline.py", _PACKAGE / "builder" / "definition_json.py")
    files = (*sorted((_PACKAGE / "config").glob("*.py")), *others)
    known = [(one.name, one.stat()) for one in files]
    return " ".join([f"{_FORMAT} {_PACKAGE}", *(f"{name} {seen.st_size} {seen.st_mtime_ns}" for name, seen in known)])
