"""The JSON Schema (draft 2020-12) of a configuration file, for editors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tidegate.config.section import Section
from tidegate.model.quantity import format_duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: type[Section], title: str) -> dict[str, Any]:
    """The schema of a file whose top level is a section of `kind`."""
    generated = _as_in_a_file(kind.model_json_schema(schema_generator=_AsWritten))
    return {"$schema": DIALECT, **generated, "title": title}


class _AsWritten(GenerateJsonSchema):
    """Values as people write them into a file: durations as `10m`, and never null."""

    def encode_default(self, dft: Any) -> Any:
        match dft:
            case timedelta():
                return format_duration(dft).replace(" ", "")
            case Enum():
                return dft.value
            case Section():
                return {}
            case _:
                return super().encode_default(dft)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _as_in_a_file(schema: Any) -> Any:
    """The schema without null (in a file, a key without a value is an error), class names, and names of any form."""
    if isinstance(schema, list):
        return [_as_in_a_file(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    cleaned = {
        key: _as_in_a_file(value)
        for key, value in schema.items()
        if not (key == "default" and value is None) and not (key == "title" and isinstance(value, str))
    }
    if "patternProperties" in cleaned:
        cleaned["additionalProperties"] = False
    return cleaned
