"""Policies as they stand in a file: one expression, or several with names and messages."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from tidegate.config.section import Section
from tidegate.config.step_values import Expression
from tidegate.config.values import StageWord
from tidegate.model.expression import LONGEST_EXPRESSION
from tidegate.model.policy import UNNAMED, Policy

MOST_POLICIES = 20
LONGEST_POLICY_MESSAGE = 200
"""Of one gate, and the characters of what is said where one does not hold."""


class PolicySection(Section):
    """A question to the evidence; the gate opens only where the answer is true."""

    name: Annotated[StageWord | None, Field(description="What it is called in reasons.")] = None
    expression: Annotated[Expression, Field(description="In CEL, on the evidence (docs/reference/evidence.md).")]
    message: Annotated[
        str, Field(strict=True, max_length=LONGEST_POLICY_MESSAGE, description="What is said where it is not true.")
    ] = ""

    @model_validator(mode="before")
    @classmethod
    def _bare_expression(cls, value: object) -> object:
        return value if isinstance(value, dict) else {"expression": value}


class _OneOrMany:
    """In the JSON Schema: an expression by itself, or a list."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "maxLength": LONGEST_EXPRESSION}, handler(core)]}


Policies = Annotated[
    tuple[PolicySection, ...],
    Field(min_length=1, max_length=MOST_POLICIES),
    BeforeValidator(lambda value: value if isinstance(value, list) else [value]),
    _OneOrMany(),
]


def policies(sections: tuple[PolicySection, ...]) -> tuple[Policy, ...]:
    """The policies that a file describes; those without a name are told by their place."""
    return tuple(
        Policy(one.name or (UNNAMED if len(sections) == 1 else f"{UNNAMED} {number}"), one.expression, one.message)
        for number, one in enumerate(sections, 1)
    )
