"""Notifications: whom the server tells what, and whether it arrives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path

from tidegate.api.answers import Answer
from tidegate.api.fields import NAME
from tidegate.api.idempotency import ActRoute
from tidegate.api.routing import noun_router
from tidegate.api.security import Administrator, Parts, Reader
from tidegate.model.channel import Channel, NotificationCursor, Topic
from tidegate.security.permission import Permission

router = noun_router("notifications", prefix="/notifications", route_class=ActRoute)

ChannelPath = Annotated[str, Path(alias="channel", pattern=NAME, description="A channel's name")]


class ChannelAnswer(Answer):
    """Some people, and what they are told about; never their addresses. With `failing_since` messages do not arrive
    there at present, because of `failing_because`; `told_up_to` is the last event that they were told of."""

    name: str
    about: list[Topic]
    services: list[str]
    environments: list[str] | None
    told_up_to: int | None
    failing_since: datetime | None
    failing_because: str | None


@router.get("")
def list_channels(parts: Parts, _: Reader) -> list[ChannelAnswer]:
    """The channels of the server's configuration, in the order of its file."""
    return [_answer(channel, told) for channel, told in parts.notifications.channels()]


@router.post("/{channel}/test")
def try_channel(parts: Parts, who: Administrator, channel: ChannelPath) -> ChannelAnswer:
    """Send a message to try a channel, and wait until it is taken."""
    parts.authority.check(who, Permission.ADMINISTER)
    parts.notifications.test(channel, who.actor)
    return next(_answer(one, told) for one, told in parts.notifications.channels() if one.name == channel)


def _answer(channel: Channel, told: NotificationCursor | None) -> ChannelAnswer:
    return ChannelAnswer(
        name=channel.name,
        about=[topic for topic in Topic if topic in channel.about],
        services=list(channel.services),
        environments=None if channel.environments is None else list(channel.environments),
        told_up_to=told.event if told else None,
        failing_since=told.failing_since if told else None,
        failing_because=told.failing_because or None if told else None,
    )
