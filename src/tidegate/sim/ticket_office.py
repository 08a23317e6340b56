"""The address outside that gates ask: it says yes or no, at once or later, twice, otherwise than before, late or never.

What it said, and when, is kept apart from the server: the rules ask it whether a gate may have opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import partial
from random import Random

from tidegate.engine.asking import Asker, NotSigned
from tidegate.engine.refusal import Refused
from tidegate.integrations.asking import Heard, NotTaken
from tidegate.security.signature import HEADER, is_signed, sign
from tidegate.sim.agenda import Agenda
from tidegate.sim.clock import ServerClock, SimulatedClock

KEY = "between us"
TRY_AGAIN = timedelta(seconds=5)
TRIES_AT_MOST = 20
YES, NO = "approved", "rejected"


class Mind(Enum):
    """What the office makes of a question."""

    YES_AT_ONCE = auto()
    NO_AT_ONCE = auto()
    YES_LATER = auto()
    NO_LATER = auto()
    YES_TWICE = auto()
    YES_THEN_NO = auto()
    NO_THEN_YES = auto()
    TOO_LATE = auto()
    NEVER = auto()
    AWAY_AT_FIRST = auto()
    FORGED = auto()


_WORDS: Mapping[Mind, tuple[str, ...]] = {
    Mind.YES_LATER: (YES,),
    Mind.NO_LATER: (NO,),
    Mind.YES_TWICE: (YES, YES),
    Mind.YES_THEN_NO: (YES, NO),
    Mind.NO_THEN_YES: (NO, YES),
    Mind.TOO_LATE: (YES,),
}
_OFTEN = (Mind.YES_AT_ONCE, Mind.YES_LATER, Mind.YES_TWICE, Mind.AWAY_AT_FIRST)


@dataclass(slots=True)
class Asked:
    """A question as it came, and what was answered: the words, each with the time that the server's clock showed."""

    url: str
    run: str
    stage: str
    release: str
    nonce: str
    expires_at: datetime
    mind: Mind
    times: int = 0
    said: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def is_yes(self) -> bool:
        """Whether the first answer that came in time was a yes."""
        in_time = [word for at, word in self.said if at < self.expires_at]
        return in_time[:1] == [YES]

    @property
    def is_no(self) -> bool:
        """Whether it ever said no."""
        return any(word == NO for _, word in self.said)


class TicketOffice:
    """Asked by the server, as `integrations.asking.Outside` says. `asker` gives the server's side, None while it is
    down; what comes later comes by the agenda."""

    def __init__(
        self,
        clock: SimulatedClock,
        server_clock: ServerClock,
        random: Random,
        agenda: Agenda,
        asker: Callable[[], Asker | None],
    ) -> None:
        self._clock = clock
        self._server_clock = server_clock
        self._random = random
        self._agenda = agenda
        self._asker = asker
        self.asked: dict[str, Asked] = {}

    def ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> Heard:
        """Take a question; the same one again gets the same answer. Raises NotTaken."""
        if not is_signed(KEY, body, headers[HEADER], _signed_at(headers[HEADER])):
            raise AssertionError("a question that nobody signed")
        document = json.loads(body)
        known = self.asked.get(document["id"])
        asked = known or self._new(url, document)
        asked.times += 1
        match asked.mind:
            case Mind.AWAY_AT_FIRST if asked.times < 3:
                raise NotTaken("it does not answer")
            case Mind.YES_AT_ONCE | Mind.AWAY_AT_FIRST:
                return self._answer(asked, YES)
            case Mind.NO_AT_ONCE:
                return self._answer(asked, NO)
        if known is None:
            self._plan_answers(document["id"], asked)
        return Heard(202, b"")

    def _new(self, url: str, document: Mapping[str, str]) -> Asked:
        mind = self._random.choice(_OFTEN if self._random.random() < 0.5 else tuple(Mind))
        expires_at = datetime.fromisoformat(document["expires_at"])
        asked = Asked(url, document["run"], document["stage"], document["release"], document["nonce"], expires_at, mind)
        self.asked[document["id"]] = asked
        return asked

    def _answer(self, asked: Asked, word: str) -> Heard:
        asked.said.append((self._server_clock.now(), word))
        return Heard(200, json.dumps({"answer": word}).encode())

    def _plan_answers(self, question: str, asked: Asked) -> None:
        at = self._clock.now()
        if asked.mind is Mind.TOO_LATE:
            at = max(at, self._server_clock.real(asked.expires_at))
        if asked.mind is Mind.FORGED:
            for key, nonce in (("another key", asked.nonce), (KEY, "another nonce")):
                self._agenda.plan(at, partial(self._forge, question, key, nonce))
        for word in _WORDS.get(asked.mind, ()):
            at += timedelta(seconds=self._random.choice((1, 4, 20)))
            self._agenda.plan(at, partial(self._call_back, question, asked, word))

    def _call_back(self, question: str, asked: Asked, word: str, tries: int = 1) -> None:
        """Give an answer, and again later until the server has heard it, which may end in the middle of that."""
        is_heard = False

        def again() -> None:
            if not is_heard and tries < TRIES_AT_MOST:
                self._call_back(question, asked, word, tries + 1)

        self._agenda.plan(self._clock.now() + TRY_AGAIN, again)
        server = self._asker()
        if server is None:
            return
        said = (self._server_clock.now(), word)
        asked.said.append(said)
        try:
            self._send(server, question, KEY, asked.nonce, word)
            is_heard = True
        except Refused:
            asked.said.remove(said)
            is_heard = True
        except NotSigned:  # the clocks differ by too much
            asked.said.remove(said)

    def _forge(self, question: str, key: str, nonce: str) -> None:
        server = self._asker()
        if server is not None:
            with suppress(NotSigned, Refused):
                self._send(server, question, key, nonce, YES)

    def _send(self, server: Asker, question: str, key: str, nonce: str, word: str) -> None:
        body = json.dumps({"nonce": nonce, "answer": word}).encode()
        server.take(question, sign(key, body, self._clock.now()), body)


def _signed_at(header: str) -> datetime:
    """When a question was signed: what was on its way when a server ended comes a good while later."""
    return datetime.fromtimestamp(int(header.partition(",")[0].removeprefix("t=")), UTC)
