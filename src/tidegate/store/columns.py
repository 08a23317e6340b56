"""Column types: how typed values of the model become what a database holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import DateTime, Float, Text, TypeDecorator
from sqlalchemy.engine import Dialect

KEPT_VALUES = 256
"""How many values of a column are kept as they were read: the same pipeline is read again at every look at its run."""


class Utc(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond; aware on the way in and out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware to naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Naive UTC to aware."""
        return None if value is None else value.replace(tzinfo=UTC)


class Span(TypeDecorator[timedelta]):
    """A duration, in seconds."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> float | None:
        """To seconds."""
        return None if value is None else value.total_seconds()

    def process_result_value(self, value: float | None, dialect: Dialect) -> timedelta | None:
        """From seconds."""
        return None if value is None else timedelta(seconds=value)


class Word(TypeDecorator[StrEnum]):
    """A value of an enumeration, as its word."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words
        # looked up here: an enumeration takes several times as long to find its member, for every row that is read
        self._members = {word.value: word for word in words}

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """To its word."""
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """From its word; one that this version does not know is an error, never a guess."""
        return None if value is None else self._members.get(value) or self.words(value)


class Document(TypeDecorator[Any]):
    """A nested frozen value of the model, as JSON text; None stays NULL."""

    impl = Text
    cache_ok = True

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self.shape = shape
        self._adapter: TypeAdapter[Any] | None = None
        self._read = lru_cache(maxsize=KEPT_VALUES)(self._read_text)

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """Made when first needed: a start of the server should not wait for all of them."""
        if self._adapter is None:
            self._adapter = TypeAdapter(self.shape)
        return self._adapter

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To JSON."""
        return None if value is None else self.text_of(value)

    def text_of(self, value: Any) -> str:
        """The JSON text that holds a value."""
        return self.adapter.dump_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From JSON."""
        return None if value is None else self._read(value)

    def _read_text(self, text: str) -> Any:
        return self.adapter.validate_json(text)
