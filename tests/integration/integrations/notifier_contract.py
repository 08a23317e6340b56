"""What every notifier must do, written once and run against each adapter.

A test class inherits `NotifierContract` and gives a fixture `make`, which makes a notifier for a text of addresses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from tests.integration.integrations.receiver import Receiver, a_receiver

from tidegate.integrations.notifier import Notifier, NotTaken
from tidegate.model.channel import Topic
from tidegate.model.notification import Notification

MakeNotifier = Callable[[Callable[[], str]], Notifier]

ASKS = Notification(
    Topic.APPROVAL, "shop: an approval is asked for", "shop 1a2b <b> asks & waits", "https://t.example/runs/1"
)
BACK = Notification(Topic.ROLLBACK, "shop: rolled back", "shop goes back", "https://t.example/runs/1")


class NotifierContract:
    """Arriving, not arriving, and telling no secret."""

    @pytest.fixture
    def heard(self) -> Iterator[list[str]]:
        """All that goes into the log meanwhile."""
        lines: list[str] = []

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(self.format(record))

        root, listener = logging.getLogger(), Listener()
        level = root.level
        root.addHandler(listener)
        root.setLevel(logging.DEBUG)
        yield lines
        root.setLevel(level)
        root.removeHandler(listener)

    def test_a_message_arrives_with_its_title_its_text_and_its_link(
        self, make: MakeNotifier, receiver: Receiver
    ) -> None:
        make(receiver.url).send(ASKS)
        told = receiver.next()
        assert told["title"] == ASKS.title
        assert told["message"] == "shop 1a2b <b> asks & waits\nhttps://t.example/runs/1"

    def test_the_same_message_twice_arrives_twice(self, make: MakeNotifier, receiver: Receiver) -> None:
        notifier = make(receiver.url)
        notifier.send(ASKS)
        notifier.send(ASKS)
        assert receiver.next() == receiver.next()

    def test_a_refusal_says_who_refused_and_how(self, make: MakeNotifier, receiver: Receiver) -> None:
        receiver.status = 404
        with pytest.raises(NotTaken, match="JSON answered with status 404"):
            make(receiver.url).send(ASKS)

    def test_sent_again_it_goes_only_to_those_that_did_not_take_it(
        self, make: MakeNotifier, receiver: Receiver
    ) -> None:
        with a_receiver() as other:
            notifier = make(lambda: f"# the leads\n{receiver.url()}\n\n{other.url()}\n")
            other.status = 503
            for _ in range(2):
                with pytest.raises(NotTaken, match="503"):
                    notifier.send(ASKS)
            other.status = 200
            notifier.send(ASKS)
            notifier.send(BACK)
            assert [receiver.next()["title"] for _ in range(2)] == [ASKS.title, BACK.title]
            assert [other.next()["title"] for _ in range(2)] == [ASKS.title, BACK.title]
            assert not receiver.has_more() and not other.has_more()

    def test_one_that_does_not_answer_is_left_alone_and_does_not_pile_up(
        self, make: MakeNotifier, receiver: Receiver
    ) -> None:
        notifier = make(receiver.url)
        receiver.answers.clear()
        with pytest.raises(NotTaken, match="did not take it within"):
            notifier.send(ASKS)
        with pytest.raises(NotTaken, match="has not answered to the message before"):
            notifier.send(ASKS)
        receiver.answers.set()
        assert receiver.next()["title"] == ASKS.title
        assert not receiver.has_more()

    def test_another_address_counts_from_the_next_message_on(self, make: MakeNotifier, receiver: Receiver) -> None:
        text = [receiver.url("old")]
        notifier = make(lambda: text[0])
        notifier.send(ASKS)
        text[0] = receiver.url("new")
        notifier.send(ASKS)
        assert [receiver.next()["path"] for _ in range(2)] == ["/old", "/new"]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("json://ok.example\nnosuch://s3cr3tT0ken:pa55w0rd@h0st", "line 2 of the file with its addresses is none"),
            ("s3cr3tT0ken pa55w0rd", "line 1"),
            ("slack://s3cr3tT0ken-pa55w0rd", "line 1"),
            ("https://hooks.slack.com/services/s3cr3tT0ken", "line 1"),
            ("# json://later.example", "has none"),
        ],
    )
    def test_what_is_no_address_is_told_by_its_line_and_never_repeated(
        self, make: MakeNotifier, text: str, says: str, heard: list[str]
    ) -> None:
        with pytest.raises(NotTaken, match=says) as failure:
            make(lambda: text).check()
        for said in (str(failure.value), *heard):
            assert "s3cr3tT0ken" not in said and "pa55w0rd" not in said

    def test_a_file_that_is_not_there_is_said_without_a_traceback(self, make: MakeNotifier) -> None:
        def missing() -> str:
            raise FileNotFoundError(2, "No such file or directory", "leads-urls")

        with pytest.raises(NotTaken, match="cannot be read: No such file or directory"):
            make(missing).check()

    @pytest.mark.parametrize("status", [200, 403, 500])
    def test_neither_the_log_nor_the_error_holds_a_part_of_an_address(
        self, make: MakeNotifier, receiver: Receiver, status: int, heard: list[str]
    ) -> None:
        receiver.status = status
        error = ""
        try:
            make(lambda: receiver.url("s3cr3tT0ken")).send(ASKS)
        except NotTaken as failure:
            error = repr(failure) + repr(failure.__cause__) + repr(failure.__context__)
        for said in (error, *heard):
            assert "s3cr3tT0ken" not in said and "pa55w0rd" not in said and str(receiver.port) not in said
