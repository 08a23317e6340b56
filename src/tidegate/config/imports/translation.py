"""A translation: the `verify:` part, and what is said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from tidegate.config.problem import ConfigError, Problem
from tidegate.config.tidegate_yaml import load

BUILT_IN = ("errors", "latency")
"""Names of metrics that come from the router."""

_WIDEST = 4096


@dataclass(frozen=True, slots=True)
class Translation:
    """`verify` is the part of tidegate.yaml; `missing` what it cannot say, `different` what means something else now,
    each where it stands in the file that was translated. `source` says of what it is a translation."""

    source: str
    verify: Mapping[str, Any]
    missing: tuple[Problem, ...] = ()
    different: tuple[Problem, ...] = ()
    next_steps: tuple[str, ...] = ()

    def refused(self) -> tuple[str, ...]:
        """What a stage would not take as it is: places in the part, and what is wrong there."""
        stage = {"name": "production", "environment": "production", "verify": dict(self.verify)}
        plain = {
            "service": "service",
            "build": {"steps": [{"name": "package", "run": "make"}]},
            "runtime": {"command": "serve"},
            "stages": [stage],
        }
        # JSON is YAML, and this one stands in one line: a column says nothing, the words do
        text = json.dumps(plain, ensure_ascii=False)
        try:
            load(text)
        except ConfigError as error:
            return tuple(f"{one.message}{f' ({one.hint})' if one.hint else ''}" for one in error.problems)
        return ()

    def yaml(self) -> str:
        """The part as it goes into a stage, with all that is said of it in comments above."""
        yaml = YAML()
        yaml.width = _WIDEST
        yaml.indent(mapping=2, sequence=4, offset=2)
        text = StringIO()
        yaml.dump({"verify": _as_written(self.verify)}, text)
        return "".join(f"# {_one_line(line)}".rstrip() + "\n" for line in self._comments()) + text.getvalue()

    def _comments(self) -> Iterator[str]:
        yield f"Translated from {self.source}. It goes into a stage of tidegate.yaml."
        for heading, problems in (("NOT TRANSLATED", self.missing), ("Different now", self.different)):
            if problems:
                yield f"{heading}:"
            for one in problems:
                yield f"  line {one.line}: {one.message}" + (f" ({one.hint})" if one.hint else "")
        refused = self.refused() if self.verify["metrics"] else ()
        if refused or self.next_steps:
            yield "Next:"
            yield from (f"  {one}" for one in self.next_steps)
            yield from (f"  repair what a stage does not take: {one}" for one in refused)


@dataclass(slots=True)
class Names:
    """The names of metrics as tidegate.yaml takes them, each once."""

    used: set[str] = field(default_factory=set)

    def of(self, foreign: str) -> str:
        """The name, without what may not stand in one."""
        name = " ".join(re.sub("[^A-Za-z0-9_. -]", " ", foreign).split()).strip(" .-")
        name = name if re.match("[A-Za-z]", name) else f"metric {name}".strip()
        name = f"{name} of the file" if name in BUILT_IN else name
        name = name[:60].strip()
        found, number = name, 2
        while found in self.used:
            found, number = f"{name[:57]} {number}", number + 1
        self.used.add(found)
        return found


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _as_written(value: Any) -> Any:
    """Queries of several lines keep their lines."""
    if isinstance(value, Mapping):
        return {key: _as_written(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_written(one) for one in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value
