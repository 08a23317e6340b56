"""Passages that have ended, as the page of trains lists them."""

from __future__ import annotations

from tests.unit.model.builders import NOON

from tidegate.model.ids import EnvironmentName, ReleaseId, RunId, ServiceName, StageName
from tidegate.model.train import Member, MemberState, TrainRun, TrainRunId, TrainState
from tidegate.web.train_view import TrainSources, train_card

API, DB, MAIL = ServiceName("api"), ServiceName("db"), ServiceName("mail")


def test_an_ended_passage_lists_its_services_in_the_order_of_their_turns() -> None:
    members = tuple(
        Member(one, RunId("r"), ReleaseId("x"), "1", StageName("production"), MemberState.PASSED)
        for one in (API, DB, MAIL)
    )
    ended = TrainRun(
        TrainRunId("1"),
        "payments",
        EnvironmentName("production"),
        TrainState.ARRIVED,
        NOON,
        members=members,
        after={API: (MAIL,), MAIL: (DB,)},
        ended_at=NOON,
    )
    (shown,) = train_card(TrainSources("payments", None, (), None, (), {}, (), [ended]), NOON).passages
    assert [(one.service, one.after) for one in shown.members] == [("db", ""), ("mail", "db"), ("api", "mail")]
