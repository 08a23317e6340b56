"""Gates that ask outside, on the real store: asked once, answered once, and shut without an answer."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.engine.asking_shop import ADDRESS, SECRET, AskingShop
from tests.integration.engine.shop import OWNER, PLAIN
from tests.integration.engine.test_notifications import Telling

from tidegate.engine.asking import NotSigned
from tidegate.engine.refusal import Refusal
from tidegate.integrations.asking import Heard, NotTaken
from tidegate.model.channel import Channel, Topic
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.security.signature import is_signed, sign
from tidegate.store.database import Database

HOUR = timedelta(hours=1)
ASKING = PLAIN.replace(
    "gate: {approvals: {count: 1}}",
    'gate: {external: {url: "https://tickets.example.com/tidegate?x=1", secret: KEY, timeout: 2h}}',
)
YES = Heard(200, b'{"answer": "approved", "reason": "CHG-7"}')


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> AskingShop:
    found = AskingShop(sqlite, tmp_path)
    found.knows_secret()
    return found


def at_the_gate(shop: AskingShop) -> str:
    """A run whose release waits at production's gate for nothing but the answer from outside."""
    run = shop.added(ASKING)
    shop.built()
    shop.approved(run, "production")
    return run


def only(shop: AskingShop, run: str) -> ExternalQuestion:
    (asked,) = shop.asked_of(run)
    return asked


def answer(shop: AskingShop, asked: ExternalQuestion, secret: str = SECRET, **said: Any) -> QuestionState:
    """An answer that comes by itself."""
    body = json.dumps({"nonce": asked.nonce, "answer": "approved", **said}).encode()
    taken = shop.asker.take(asked.id, sign(secret, body, shop.clock.now()), body)
    shop.settle()
    return taken.state


def test_a_yes_at_once_opens_the_gate(shop: AskingShop) -> None:
    shop.outside.usual = YES
    run = at_the_gate(shop)
    assert shop.run(run).status == "succeeded"
    assert "production: tickets.example.com is asked" in shop.said()
    assert "production: tickets.example.com approved: CHG-7" in shop.said()


def test_the_question_says_what_it_is_about_and_is_signed(shop: AskingShop) -> None:
    run = at_the_gate(shop)
    ((url, body, headers),) = shop.outside.asked
    asked = only(shop, run)
    assert url == "https://tickets.example.com/tidegate?x=1"
    assert body["service"] == "shop" and body["environment"] == body["stage"] == "production"
    assert (body["run"], body["release"], body["id"], body["nonce"]) == (run, asked.release, asked.id, asked.nonce)
    assert body["evidence"] == f"{ADDRESS}/runs/{run}"
    assert body["callback"] == f"{ADDRESS}/hooks/gate/{asked.id}"
    assert is_signed(SECRET, json.dumps(body).encode(), headers["Tidegate-Signature"], shop.clock.now())
    assert SECRET not in json.dumps(shop.rows(), default=str)


def test_a_no_ends_the_run_and_a_person_may_have_it_tried_again(shop: AskingShop) -> None:
    shop.outside.answers = [Heard(200, b'{"answer": "rejected", "reason": "no change today"}')]
    run = shop.added(ASKING)
    shop.built()
    assert shop.run(run).status == "rejected"
    assert "tickets.example.com rejected: no change today" in shop.run(run).because[0].text
    shop.outside.usual = YES
    shop.runs.retry(run, OWNER)
    shop.settle()
    shop.approved(run, "production")
    assert shop.run(run).status == "succeeded"
    assert len({one.id for one in shop.asked_of(run)}) == 2


def test_people_are_told_of_a_no_and_of_a_question_that_nobody_answered(shop: AskingShop) -> None:
    telling = Telling(shop, Channel("leads", "f", frozenset({Topic.QUESTION}), ("shop",)))
    run = at_the_gate(shop)
    assert telling.titles() == []
    shop.pass_time(2 * HOUR)
    shop.pass_time(2 * HOUR)
    assert telling.titles() == ["shop (production): a question was not answered in time"]
    assert f"ask again: tidegate gate ask {run}\n" in telling.people.heard[0].body
    (again,) = shop.questions.ask_again(run, OWNER)
    shop.settle()
    answer(shop, again, answer="rejected", reason="no change today")
    assert telling.titles() == ["shop (production): the answer from outside is no"]
    assert "tickets.example.com rejected: no change today" in telling.people.heard[0].text


def test_an_answer_that_comes_later_opens_the_gate_once(shop: AskingShop) -> None:
    run = at_the_gate(shop)
    assert shop.waits_for(run) == ["tickets.example.com was asked, and may answer until Mon 2 Mar 2026 14:00 (UTC)"]
    assert answer(shop, only(shop, run)) is QuestionState.APPROVED
    assert shop.run(run).status == "succeeded"
    rows = shop.rows()
    assert answer(shop, only(shop, run)) is QuestionState.APPROVED, "the same again is no mistake"
    assert shop.rows() == rows
    shop.refuses(lambda: answer(shop, only(shop, run), answer="rejected"), Refusal.CONFLICT)


def test_without_an_answer_the_gate_stays_shut_until_somebody_asks_again(shop: AskingShop) -> None:
    run = at_the_gate(shop)
    first = only(shop, run)
    shop.pass_time(2 * HOUR)
    assert shop.waits_for(run) == ["tickets.example.com did not answer until Mon 2 Mar 2026 14:00 (UTC)"]
    assert "production: tickets.example.com did not answer" in shop.said()
    shop.refuses(lambda: answer(shop, first), Refusal.CONFLICT)
    shop.clock.time -= HOUR  # late is late, whatever the clock shows
    shop.refuses(lambda: answer(shop, first), Refusal.CONFLICT)
    shop.clock.time += HOUR
    (again,) = shop.questions.ask_again(run, OWNER)
    shop.settle()
    assert again.id != first.id and again.nonce != first.nonce
    shop.refuses(lambda: answer(shop, first), Refusal.CONFLICT)
    assert answer(shop, again) is QuestionState.APPROVED
    assert shop.run(run).status == "succeeded"
    shop.refuses(lambda: shop.questions.ask_again(run, OWNER), Refusal.CONFLICT)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (NotTaken("Connection refused"), "Connection refused"),
        (Heard(503, b""), "it answers 503"),
        (Heard(302, b""), "redirects are not followed"),
        (Heard(200, b'{"answer": "maybe"}'), 'neither "approved" nor "rejected"'),
    ],
)
def test_a_question_that_nobody_took_is_put_again_with_the_same_id(
    shop: AskingShop, trouble: Heard | Exception, words: str
) -> None:
    shop.outside.answers = [trouble, trouble]
    run = at_the_gate(shop)
    assert words in shop.waits_for(run)[0]
    shop.pass_time(timedelta(seconds=5))
    shop.pass_time(timedelta(seconds=10))
    sent = [(body["id"], body["nonce"], body["delivery"]) for _, body, _ in shop.outside.asked]
    asked = only(shop, run)
    assert sent == [(asked.id, asked.nonce, number) for number in (1, 2, 3)]
    assert asked.state is QuestionState.ASKED
    assert shop.run(run).status == "waiting"


def test_a_server_that_ends_while_it_asks_asks_once_more_with_the_same_id(shop: AskingShop) -> None:
    shop.outside.answers = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        at_the_gate(shop)
    shop.outside.answers = []
    shop.restart()
    shop.settle()
    assert len({body["id"] for _, body, _ in shop.outside.asked}) == 1
    assert [body["delivery"] for _, body, _ in shop.outside.asked] == [1, 2]


def test_two_senders_of_one_question_send_it_once(shop: AskingShop) -> None:
    run = at_the_gate(shop)
    for _ in range(3):
        shop.asker.look(f"question:{only(shop, run).id}")
    assert len(shop.outside.asked) == 1


def test_an_answer_that_overtakes_its_question_is_kept(shop: AskingShop) -> None:
    class Quick:
        def ask(self, url: str, body: bytes, headers: Any) -> Heard:
            told = json.loads(body)
            said = json.dumps({"nonce": told["nonce"], "answer": "approved"}).encode()
            shop.asker.take(told["id"], sign(SECRET, said, shop.clock.now()), said)
            return Heard(202, b"")

    shop.outside = shop.asker.outside = Quick()  # type: ignore[assignment]
    assert shop.run(at_the_gate(shop)).status == "succeeded"


def test_an_answer_that_is_not_proven_is_none(shop: AskingShop) -> None:
    run = at_the_gate(shop)
    asked = only(shop, run)
    body = json.dumps({"nonce": asked.nonce, "answer": "approved"}).encode()
    now = shop.clock.now()
    right = sign(SECRET, body, now)
    other = json.dumps({"nonce": "of another", "answer": "approved"}).encode()
    before = shop.rows()
    for question, signature, sent in (
        (asked.id, sign("guessed", body, now), body),
        (asked.id, right, body + b" "),
        (asked.id, sign(SECRET, body, now - timedelta(minutes=6)), body),
        (asked.id, sign(SECRET, body, now + timedelta(minutes=6)), body),
        (asked.id, right.replace("v1", "v0"), body),
        (asked.id, "", body),
        (asked.id, sign(SECRET, other, now), other),
        ("nosuch", right, body),
    ):
        with pytest.raises(NotSigned):
            shop.asker.take(question, signature, sent)
    shop.refuses(lambda: answer(shop, asked, answer="perhaps"), Refusal.INVALID)
    for words in (b"[]", b"no json", b"{}"):
        shop.refuses(lambda words=words: shop.asker.take(asked.id, sign(SECRET, words, now), words), Refusal.INVALID)  # type: ignore[misc]
    assert shop.rows() == before


def test_an_answer_about_a_run_that_goes_no_further_is_refused(shop: AskingShop) -> None:
    run = at_the_gate(shop)
    shop.runs.cancel(run, OWNER)
    shop.settle()
    shop.refuses(lambda: answer(shop, only(shop, run)), Refusal.CONFLICT)


def test_a_question_about_a_run_that_has_ended_is_not_put_again(shop: AskingShop) -> None:
    shop.outside.usual = Heard(503, b"")
    run = at_the_gate(shop)
    shop.runs.cancel(run, OWNER)
    shop.pass_time(timedelta(minutes=1))
    sent = len(shop.outside.asked)
    assert only(shop, run).state is QuestionState.EXPIRED
    shop.engine.sweep()
    shop.pass_time(HOUR)
    assert len(shop.outside.asked) == sent


def test_a_newer_release_is_asked_about_by_itself(shop: AskingShop) -> None:
    old = at_the_gate(shop)
    new = shop.pushed()
    shop.built()
    shop.approved(new, "production")
    assert only(shop, old).nonce != only(shop, new).nonce
    answer(shop, only(shop, new))
    assert shop.run(new).status == "succeeded"
    assert shop.serving() == shop.label(new)


def test_a_secret_that_is_not_set_is_said_and_asked_with_once_it_is(sqlite: Database, tmp_path: Path) -> None:
    shop = AskingShop(sqlite, tmp_path)
    run = at_the_gate(shop)
    assert "the secret KEY is not set; tidegate secret set shop KEY" in shop.waits_for(run)[0]
    assert shop.outside.asked == []
    shop.outside.usual = YES
    shop.knows_secret()
    shop.pass_time(timedelta(seconds=5))
    assert shop.run(run).status == "succeeded"
