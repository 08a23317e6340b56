"""Channels over the API, and by the commands: what they are, and whether messages arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.integrations.receiver import a_receiver

from .test_people import account
from .world import ADMIN, World


@pytest.fixture
def tidegate(world: World, tmp_path: Path) -> Command:
    return Command(tmp_path, tmp_path, {"TIDEGATE_SERVER": world.address, "TIDEGATE_TOKEN": ADMIN, "NO_COLOR": "1"})


def test_an_administrator_tries_a_channel_and_everybody_sees_which_there_are(
    world: World, tidegate: Command, tmp_path: Path
) -> None:
    viewer = account(world, "vera", {"role": "viewer"})
    urls = tmp_path / "leads-urls"
    with a_receiver() as receiver:
        urls.write_text(receiver.url("s3cr3t") + "\n")
        urls.chmod(0o644)
        ended = tidegate("notify", "test", "leads")
        assert (ended.code, ended.out, ended.err) == (0, "the message to leads was taken\n", "")
        assert receiver.next()["message"].endswith("There is nothing to do.\nhttp://tidegate.example")
        assert urls.stat().st_mode & 0o077 == 0

        receiver.status = 403
        ended = tidegate("notify", "test", "leads")
        assert ended.code == 1
        assert "the message to leads did not arrive: JSON answered with status 403" in ended.err
        assert "s3cr3t" not in ended.err + ended.out

        (found,) = tidegate("notify", "list", "--json").document
        assert (found["name"], found["services"], found["environments"]) == ("leads", ["*"], None)
        assert "approval" in found["about"] and "run-succeeded" not in found["about"]
        assert "leads" in tidegate("notify", "list").out
        assert "leads-urls" not in str(found)

    with world.client(viewer) as client:
        assert client.get("/api/v1/notifications").json() == [found]
        assert client.post("/api/v1/notifications/leads/test").status_code == 403


def test_what_is_wrong_is_said_with_the_remedy(tidegate: Command, tmp_path: Path) -> None:
    missing = tidegate("notify", "test", "leads")
    assert missing.code == 1
    assert "cannot be read: No such file or directory" in missing.err
    assert "next: look at leads-urls in the server's data folder" in missing.err
    (tmp_path / "leads-urls").touch()
    assert "is empty, or no text (UTF-8)" in tidegate("notify", "test", "leads").err
    unknown = tidegate("notify", "test", "nosuch")
    assert (unknown.code, "next: tidegate notify list" in unknown.err) == (2, True)
