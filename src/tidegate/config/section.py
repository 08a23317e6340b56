"""What every section of a configuration file has in common, and how a section is found by its place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from tidegate.config.document import Path


class Section(BaseModel):
    """Keys with values in a file. A key that no section knows is an error; some are known only to be refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    not_yet: ClassVar[frozenset[str]] = frozenset()
    """Keys of the format whose machinery comes with a later version."""

    misplaced: ClassVar[Mapping[str, str]] = {}
    """Keys that people look for here, and the sentence that says where such a thing belongs."""

    by_name: ClassVar[type[Section] | None] = None
    """What stands under the names that users choose, in a section that takes such beside its own keys."""


def known_keys(section: type[Section]) -> list[str]:
    """The keys of a section, as they are written in the file."""
    return [field.alias or name for name, field in section.model_fields.items()]


def section_at(root: type[Section], path: Path) -> type[Section] | None:
    """The section that a file's place belongs to; None below values that are no sections."""
    here: type[Section] | None = root
    is_name = False
    for part in path:
        if isinstance(part, int):
            continue
        if is_name:
            is_name = False
            continue
        field = _field(here, part) if here else None
        here = _section_in(field.annotation) if field else here.by_name if here else None
        is_name = field is not None and _is_by_name(field.annotation)
    return here


def _field(section: type[Section], key: str) -> FieldInfo | None:
    return next((field for name, field in section.model_fields.items() if key == (field.alias or name)), None)


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((section for inner in get_args(annotation) if (section := _section_in(inner))), None)


def _is_by_name(annotation: Any) -> bool:
    """Whether sections stand there under names that users choose."""
    return get_origin(annotation) is dict or any(get_origin(inner) is dict for inner in get_args(annotation))
