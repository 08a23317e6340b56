"""What requests are made of: the patterns and limits that are checked before anything else looks at them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
IDENTIFIER = r"^[0-9A-Za-z][0-9A-Za-z._-]{0,199}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
ACCOUNT = r"^[a-z0-9][a-z0-9._-]{0,62}$"
PATTERNS_IN_WORDS = {
    NAME: "small letters, digits and -, at most 40 of them, with a letter or a digit at both ends",
    ACCOUNT: 'small letters, digits and "._-", at most 63 of them, with a letter or a digit at the beginning',
    IDENTIFIER: 'letters, digits and "._-", at most 200 of them, with a letter or a digit at the beginning',
    DIGEST: "sha256: and 64 of the digits 0-9 and a-f",
}
"""What is said where something does not match."""

TEXT_AT_MOST = 2000
MOST_ATTEMPTS = 2**31 - 1
"""What the column of attempts, and that of fences, holds."""

MOST_LINES = 2**62


def _printable(text: str) -> str:
    if any(not (char.isprintable() or char in "\n\t") for char in text):
        raise ValueError("control characters are not allowed")
    return text.strip()


Name = Annotated[str, StringConstraints(pattern=NAME)]
StageField = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_printable)]
TextField = Annotated[str, StringConstraints(max_length=TEXT_AT_MOST), AfterValidator(_printable)]
LabelField = Annotated[str, StringConstraints(pattern=IDENTIFIER)]

ServicePath = Annotated[str, Path(alias="name", pattern=NAME, description="A service's name")]
RunPath = Annotated[str, Path(alias="run", pattern=IDENTIFIER, description="A run's id, in either case")]
IdentifierPath = Annotated[str, Path(pattern=IDENTIFIER)]

ServiceQuery = Annotated[str | None, Query(pattern=NAME, description="Of this service only")]
AfterQuery = Annotated[int, Query(ge=0, le=2**62, description="After the event with this id")]


class Body(BaseModel):
    """A request's body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_max_length=1024 * 1024)


class NoFields(Body):
    """A body without fields."""
