"""Arguments of foreign files, and what stands for them in a query of tidegate.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tidegate.config.imports.foreign import Keys

DEPLOYMENT, SERVICE, ENVIRONMENT = "$deployment", "$service", "$environment"


@dataclass(frozen=True, slots=True)
class Arguments:
    """`given` are those that whoever translates gives; `known` what the file says of the others. `pattern` finds an
    argument in a text, by its `name`; `stands_for` says which of Tidegate's words a name means, None where none."""

    pattern: re.Pattern[str]
    stands_for: Callable[[str], str | None]
    given: Mapping[str, str]
    known: Mapping[str, str]

    def fill(self, text: str, place: Keys, key: str | None) -> str:
        """The text with values for its arguments; those that nobody knows are named, and stay."""

        def value(found: re.Match[str]) -> str:
            name = found["name"]
            for values in (self.given, self.known):
                if name in values:
                    return values[name]
            meant = self.stands_for(name)
            if meant is None:
                place.missing(f'the argument "{name}" has no value', f"give it one: --arg {name}=VALUE", key)
                return found[0]
            return meant

        return self.pattern.sub(value, text)
