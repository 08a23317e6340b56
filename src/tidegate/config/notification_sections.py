"""The part of `tidegate-server.yaml` about whom the server tells what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from tidegate.config import document
from tidegate.config.lookup import at
from tidegate.config.problem import Problem
from tidegate.config.section import Section
from tidegate.config.sign_in_sections import FileInData
from tidegate.config.values import EnvironmentWord, matching, one_of, schema_with
from tidegate.model.channel import UNLESS_SAID, Channel, Topic

_NAME = "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"
_ELSEWHERE = (
    "addresses hold secrets, so they never stand in this file: put them into one of its own (mode 0600, one a line) in "
    'the data folder, and name that with "urls_file"'
)

ChannelName = Annotated[
    str,
    PlainValidator(matching(_NAME, "the name of a channel: lower-case letters, digits and hyphens, at most 40")),
    schema_with(_NAME, "leads"),
]
TopicWord = Annotated[Topic, *one_of(Topic)]


class ChannelSection(Section):
    """Some people, and what they are told about."""

    misplaced: ClassVar[Mapping[str, str]] = dict.fromkeys(("to", "url", "urls", "address"), _ELSEWHERE)

    name: Annotated[ChannelName, Field(description="What it is called.")]
    urls_file: Annotated[
        FileInData, Field(description="A file in the data folder with the Apprise addresses to send to, one a line.")
    ]
    about: Annotated[
        tuple[TopicWord, ...] | None,
        Field(min_length=1, description="What it is told about; without it, all but run-succeeded and train."),
    ] = None
    services: Annotated[
        tuple[str, ...], Field(min_length=1, description="Names or patterns of names, like `billing-*`.")
    ] = ("*",)
    environments: Annotated[
        tuple[EnvironmentWord, ...] | None,
        Field(min_length=1, description="Only what happens there; without it, also what concerns none of them."),
    ] = None

    def channel(self) -> Channel:
        """As notifications use it."""
        about = UNLESS_SAID if self.about is None else frozenset(self.about)
        return Channel(self.name, self.urls_file, about, self.services, self.environments)


def same_names(read: document.Document) -> Iterator[Problem]:
    """Channels that are called like an earlier one."""
    channels = at(read.plain(), ("notifications",))
    seen: set[str] = set()
    for index, one in enumerate(channels if isinstance(channels, list) else ()):
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str) and name in seen:
            place = ("notifications", index, "name")
            yield read.problem(place, f'there is a channel "{name}" already', "give each a name of its own")
        elif isinstance(name, str):
            seen.add(name)
