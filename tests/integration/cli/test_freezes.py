"""What a user relies on in the commands about freezes and about questions outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import RUN, ContractServer, run_document

from tidegate.cli.local_moments import read_moment

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def freeze_document(**more: Any) -> dict[str, Any]:
    return {
        "id": "01freeze",
        "environment": "production",
        "service": None,
        "begins": "2026-12-18T00:00:00Z",
        "ends": "2027-01-04T00:00:00Z",
        "reason": "the year's end",
        "by": {"kind": "person", "name": "ada"},
        "made_at": "2026-12-01T00:00:00Z",
        "timezone": "Europe/London",
        "holds": True,
        "configured": False,
        "lifted_at": None,
        "lifted_by": None,
        **more,
    }


def test_a_freeze_is_asked_for_in_the_time_of_a_place(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("POST", "/freezes", freeze_document(), status=201)
    ended = tidegate(
        *("freeze", "production", "--from", "2026-12-18", "--until", "2027-01-03"),
        *("--reason", "the year's end", "--timezone", "Europe/Berlin", "--service", "shop"),
    )
    assert ended.code == 0, ended.err
    assert contract.asked[-1].body == {
        "environment": "production",
        "service": "shop",
        "begins": "2026-12-17T23:00:00+00:00",
        "ends": "2027-01-03T23:00:00+00:00",
        "reason": "the year's end",
        "timezone": "Europe/Berlin",
    }
    assert "production is frozen until 2027-01-04" in ended.out
    assert "next: tidegate thaw 01freeze" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--until", "4h"), "a freeze is recorded with its reason"),
        (("--until", "2026-02-30", "--reason", "x"), "there is no such day"),
        (("--until", "soon", "--reason", "x"), "--until"),
        (("--until", "4h", "--reason", "x", "--timezone", "Europe/Londn"), "there is no time zone 'Europe/Londn'"),
        (("--reason", "x"), "--until"),
    ],
)
def test_a_wrong_time_is_said_before_anything_is_asked(
    tidegate: Command, contract: ContractServer, arguments: tuple[str, ...], words: str
) -> None:
    ended = tidegate("freeze", "production", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert [one for one in contract.asked if one.method == "POST"] == []


def test_times_are_read_as_people_write_them() -> None:
    def read(text: str, *, end: bool = False) -> datetime:
        return read_moment("--until", text, "Europe/London", NOW, end=end)

    assert read("4h") == NOW + timedelta(hours=4)
    assert read("2026-07-01") == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert read("2026-07-01", end=True) == datetime(2026, 7, 1, 23, tzinfo=UTC)
    assert read("2026-07-01 17:00") == read("2026-07-01T16:00Z") == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert read("2026-03-29 01:30") == datetime(2026, 3, 29, 1, tzinfo=UTC)  # leapt over
    twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert (read("2026-10-25 01:30"), read("2026-10-25 01:30", end=True)) == (twice, twice + timedelta(hours=1))


def test_an_environment_is_thawed_of_all_that_people_set(tidegate: Command, contract: ContractServer) -> None:
    of_shop = freeze_document(id="01other", service="shop")
    configured = freeze_document(id="production.1.1", configured=True)
    contract.answer("GET", "/freezes", [freeze_document(), of_shop, configured])
    for one in ("01freeze", "01other"):
        contract.answer("DELETE", f"/freezes/{one}", freeze_document(id=one))
    assert tidegate("thaw", "production").code == 0
    assert [one.path for one in contract.asked if one.method == "DELETE"] == [
        "/api/v1/freezes/01freeze",
        "/api/v1/freezes/01other",
    ]
    contract.asked.clear()
    assert tidegate("thaw", "production", "--service", "shop").code == 0
    assert [one.path for one in contract.asked if one.method == "DELETE"] == ["/api/v1/freezes/01other"]


def test_what_the_configuration_froze_no_command_thaws(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/freezes", [freeze_document(id="production.1.1", configured=True)])
    ended = tidegate("thaw", "production")
    assert ended.code == 3
    assert "remove it from tidegate-server.yaml" in ended.err
    assert tidegate("thaw", "staging").code == 2


def test_freezes_are_listed(tidegate: Command, contract: ContractServer) -> None:
    contract.answer("GET", "/freezes", [freeze_document(), freeze_document(service="shop", holds=False)])
    ended = tidegate("freezes", "production")
    assert contract.asked[-1].query == {"environment": "production"}
    assert "now" in ended.out and "planned" in ended.out and "the year's end" in ended.out
    contract.answer("GET", "/freezes", [])
    assert "nothing is frozen" in tidegate("freezes").err


def test_a_question_is_put_again_and_listed(tidegate: Command, contract: ContractServer) -> None:
    question = {
        **{"id": f"{RUN}-1-1-1", "run": RUN, "stage": "production", "environment": "production", "release": "R1"},
        **{"host": "tickets.example.com", "state": "asking", "asked_at": "2026-03-02T12:00:00Z", "sent": 0},
        **{"expires_at": "2026-03-02T13:00:00Z", "detail": "it answers 503", "answered_at": None, "reason": ""},
    }
    contract.answer("GET", f"/runs/{RUN}", run_document())
    contract.answer("POST", f"/runs/{RUN}/questions", [question], status=201)
    contract.answer("GET", f"/runs/{RUN}/questions", [question])
    ended = tidegate("gate", "ask", RUN, "--stage", "production")
    assert ended.code == 0, ended.err
    assert contract.asked[-1].body == {"stage": "production"}
    assert "tickets.example.com is asked for production" in ended.out
    assert "it answers 503" in tidegate("gate", "questions", RUN).out
