"""The log on the agent's disk: whole after any crash, and sent once and in order whatever the server has of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.agent.lines import CutLine
from tidegate.agent.spool import LogSpool, OutputFile, Position
from tidegate.model.lease import LogLine

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CHECKED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=12)


class Server:
    """Has some lines, and says which one it wants next; it may lose some."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.posts: list[int] = []

    def post(self, first: int, lines: Sequence[LogLine]) -> int:
        self.posts.append(first)
        if first <= len(self.lines):
            self.lines += lines[len(self.lines) - first :]
        return len(self.lines)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


def cut_lines(texts: list[str]) -> list[CutLine]:
    return [CutLine(text, 10 * (number + 1)) for number, text in enumerate(texts)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def a_spool(file: Path, texts: list[str]) -> LogSpool:
    file.unlink(missing_ok=True)
    spool = LogSpool(file)
    spool.append(cut_lines(texts), 1, NOON)
    return spool


@CHECKED
@given(texts=TEXTS)
def test_every_line_reaches_the_server_once_with_its_time(file: Path, texts: list[str]) -> None:
    spool, server = a_spool(file, texts), Server()
    spool.send(server.post)
    spool.send(server.post)
    assert server.lines == [LogLine(NOON, text) for text in texts]
    assert len(server.posts) == 1
    assert (spool.sent, spool.count) == (len(texts), len(texts))


@CHECKED
@given(texts=TEXTS, cut=st.integers(0, 2000))
def test_after_a_crash_at_any_byte_it_holds_whole_lines_and_knows_how_far_they_reach(
    file: Path, texts: list[str], cut: int
) -> None:
    a_spool(file, texts)
    content = file.read_bytes()
    file.write_bytes(content[: min(cut, len(content))])
    again, server = LogSpool(file), Server()
    kept = again.count
    assert again.position == (Position(1, 10 * kept) if kept else Position(-1, 0))
    again.append(cut_lines(texts)[kept:], 1, NOON)
    again.send(server.post)
    assert server.texts == texts
    assert file.read_bytes() == content


@CHECKED
@given(texts=TEXTS, has=st.integers(0, 12))
def test_a_server_that_has_some_of_it_gets_the_rest(file: Path, texts: list[str], has: int) -> None:
    spool, server = a_spool(file, texts), Server()
    server.lines = [LogLine(NOON, text) for text in texts[:has]]
    spool.send(server.post)
    assert server.texts == texts


def test_a_server_that_lost_lines_gets_them_again(file: Path) -> None:
    spool, server = a_spool(file, ["one", "two", "three"]), Server()
    spool.send(server.post)
    del server.lines[1:]
    spool.append(cut_lines(["four"]), 1, NOON)
    spool.send(server.post)
    assert server.texts == ["one", "two", "three", "four"]


def test_a_server_that_does_not_want_it_now_is_not_asked_again_and_again(file: Path) -> None:
    spool = a_spool(file, ["one", "two"])
    posts: list[int] = []

    def _busy(first: int, lines: Sequence[LogLine]) -> int:
        posts.append(first)
        return first

    spool.send(_busy)
    assert (posts, spool.sent) == ([0], 0)


def test_what_was_not_sent_because_the_server_is_away_is_sent_the_next_time(file: Path) -> None:
    spool, server = a_spool(file, ["one", "two"]), Server()

    def _away(first: int, lines: Sequence[LogLine]) -> int:
        raise ConnectionError("the server is away")

    with pytest.raises(ConnectionError):
        spool.send(_away)
    spool.send(server.post)
    assert server.texts == ["one", "two"]


def test_a_large_log_is_sent_in_parts(file: Path) -> None:
    texts = [f"{number} " + "x" * 3000 for number in range(1200)]
    spool, server = a_spool(file, texts), Server()
    spool.send(server.post)
    assert server.texts == texts
    assert len(server.posts) > 5


def test_a_part_of_a_large_log_is_sent_so_that_others_have_their_turn(file: Path) -> None:
    texts = ["x" * 3000 for _ in range(1200)]
    spool, server = a_spool(file, texts), Server()
    assert spool.send_some(server.post)
    assert len(server.posts) == 1
    while spool.send_some(server.post):
        assert len(server.posts) < 20
    assert server.texts == texts


def test_a_log_that_another_thread_sends_is_not_waited_for(file: Path) -> None:
    spool, server = a_spool(file, ["one", "two"]), Server()
    has_more: list[bool] = []

    def _post(first: int, lines: Sequence[LogLine]) -> int:
        other = Thread(target=lambda: has_more.append(spool.send_some(server.post)))
        other.start()
        other.join(20)
        return server.post(first, lines)

    spool.send(_post)
    assert has_more == [False]
    assert server.posts == [0]


def test_nothing_appended_is_nothing_written(file: Path) -> None:
    spool = LogSpool(file)
    spool.append([], 1, NOON)
    assert (spool.count, file.exists(), spool.position) == (0, False, Position(-1, 0))


def test_output_is_read_as_it_grows_and_from_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "output"
    output = OutputFile(path)
    assert (output.read(), output.size) == (b"", 0)
    path.write_bytes(b"a" * 100_000)
    assert output.read() + output.read() + output.read() == b"a" * 100_000
    with path.open("ab") as file:
        file.write(b"more")
    assert output.read() == b"more"
    assert OutputFile(path, offset=100_000).read() == b"more"
    assert output.size == 100_004
