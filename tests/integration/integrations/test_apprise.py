"""Messages by Apprise, to real services on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from tests.integration.integrations.notifier_contract import ASKS, MakeNotifier, NotifierContract
from tests.integration.integrations.receiver import Receiver, a_receiver

from tidegate.integrations.apprise_notifier import AppriseNotifier
from tidegate.integrations.notifier import NotTaken


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


class TestAppriseKeepsTheContract(NotifierContract):
    @pytest.fixture
    def make(self) -> MakeNotifier:
        return lambda read_urls: AppriseNotifier(read_urls, seconds=0.5)


def test_a_mail_server_is_told_too() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_take_a_mail, args=(server, said), daemon=True)
        thread.start()
        port = server.getsockname()[1]
        AppriseNotifier(lambda: f"mailto://127.0.0.1:{port}/?to=leads@example.com&from=tidegate@example.com").send(ASKS)
        thread.join(20)
    mail = "".join(said)
    assert f"Subject: {ASKS.title}" in mail
    assert "RCPT TO:<leads@example.com>" in mail.upper().replace("LEADS@EXAMPLE.COM", "leads@example.com")


def _take_a_mail(server: socket.socket, said: list[str]) -> None:
    """As much of SMTP as a mail takes (RFC 5321)."""
    connection, _ = server.accept()
    with connection, connection.makefile("rw", newline="\r\n") as stream:

        def answer(line: str) -> None:
            stream.write(line + "\r\n")
            stream.flush()

        answer("220 test")
        in_data = False
        for line in stream:
            said.append(line)
            if in_data:
                in_data = line != ".\r\n" and line.strip() != "."
                if not in_data:
                    answer("250 taken")
            elif line.upper().startswith("DATA"):
                in_data = True
                answer("354 go on")
            elif line.upper().startswith("QUIT"):
                answer("221 bye")
                return
            else:
                answer("250 ok")


def test_one_that_cannot_be_reached_is_named_by_its_kind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotTaken, match="JSON could not be reached, or did not take it"):
        AppriseNotifier(lambda: f"json://127.0.0.1:{port}/s3cr3t").send(ASKS)


_A_SERVER = """
import logging, sys
from tidegate.integrations.apprise_notifier import AppriseNotifier
from tidegate.integrations.notifier import NotTaken
from tidegate.model.channel import Topic
from tidegate.model.notification import Notification
logging.basicConfig(level=logging.DEBUG)
notifier = AppriseNotifier(lambda: sys.argv[1])
assert "apprise" not in sys.modules and "requests" not in sys.modules
for number in range(2):
    try:
        notifier.send(Notification(Topic.STUCK, "title", "text", "link"))
    except NotTaken as failure:
        print(failure)
"""


def test_apprise_is_loaded_for_the_first_message_and_says_nothing_in_a_servers_log(receiver: Receiver) -> None:
    receiver.status = 500
    command = [sys.executable, "-W", "ignore", "-c", _A_SERVER, receiver.url("s3cr3tT0ken")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "JSON answered with status 500\n" * 2
    assert ended.stderr == ""
