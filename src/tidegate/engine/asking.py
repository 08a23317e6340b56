"""Asking outside: the questions of gates are sent to their addresses, and what comes back is kept.

A question is a row, leased while it is sent and sent again until somebody takes it. Its id is the same each time: where
the server ended between sending and noting that, it is sent once more, and the other side can tell.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tidegate.engine.clock import Clock
from tidegate.engine.parts import Secrets
from tidegate.engine.refusal import Refusal, Refused
from tidegate.integrations.asking import Heard, NotTaken, Outside
from tidegate.model.actor import Actor, ActorKind
from tidegate.model.ask_outside import about, is_about, whom
from tidegate.model.event import Event, EventKind
from tidegate.model.external import ExternalQuestion, QuestionState
from tidegate.model.run import StageState
from tidegate.security.secret_box import WrongKey
from tidegate.security.signature import HEADER, is_signed, sign
from tidegate.store import events, queries, rows, time_queries
from tidegate.store.database import Database

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
LONGEST_REASON = 500

_ANSWERS = {"approved": QuestionState.APPROVED, "rejected": QuestionState.REJECTED}


class NotSigned(Exception):
    """An answer whose signature does not prove that it comes from whom was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A yes or no from outside, and why."""

    state: QuestionState
    reason: str = ""


class Asker:
    """Sends questions, and takes the answers that come later. `address` is where this server is reached; `hint` has
    a run looked at."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secrets: Secrets,
        outside: Outside,
        address: str,
        hint: Callable[[str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self.outside = outside
        self.address = address
        self._hint = hint
        self.again: Callable[[str, datetime], None] = lambda question, at: None
        """Has a question sent at a time."""

    def look(self, subject: str) -> None:
        """Send the question `question:ID` if it is due."""
        leased = self._lease(subject.partition(":")[2])
        if leased is None:
            return
        try:
            heard = self._send(leased)
            kept = self._keep(leased, lambda now: _understood(leased, heard, now))
        except (NotTaken, WrongKey) as error:
            trouble = str(error)
            kept = self._keep(leased, lambda now: leased.not_taken(trouble, now))
        if kept and kept.state is QuestionState.ASKING:
            self.again(kept.id, kept.free_at)
        self._hint(f"run:{leased.run}")

    def take(self, question_id: str, signature: str, body: bytes) -> ExternalQuestion:
        """Take an answer that comes by itself. The same one again changes nothing.

        Raises NotSigned where it is not proven whose it is; Refused where it is no answer, or comes too late.
        """
        with self._database.reading() as connection:
            asked = time_queries.question(connection, question_id)
            secret = self._secret(connection, asked) if asked else None
        if asked is None or secret is None or not is_signed(secret, body, signature, self._clock.now()):
            raise NotSigned
        answer = _read_call_back(body, asked)
        with self._database.writing() as connection:
            self._database.lock_service(connection, asked.service)
            now = self._clock.now()
            known = time_queries.question(connection, question_id) or asked
            if known.state is answer.state:
                return known
            self._check_open(connection, known, now)
            answered = known.answered(answer.state, answer.reason, now)
            rows.put(connection, answered)
            events.append(connection, [_said(answered)], now)
        self._hint(f"run:{asked.run}")
        return answered

    def _lease(self, question_id: str) -> ExternalQuestion | None:
        with self._database.writing() as connection:
            asked = time_queries.question(connection, question_id)
            if asked and self._database.lock_service(connection, asked.service):
                asked = time_queries.question(connection, question_id)
            now = self._clock.now()
            if asked is None or asked.state is not QuestionState.ASKING or now >= asked.expires_at:
                return None
            if asked.free_at > now:
                self.again(asked.id, asked.free_at)
                return None
            if not _is_at_its_gate(connection, asked):
                rows.put(connection, replace(asked, state=QuestionState.EXPIRED, leased_until=None))
                return None
            leased = replace(asked, token=asked.token + 1, sent=asked.sent + 1, leased_until=now + LEASE)
            rows.put(connection, leased)
        return leased

    def _send(self, asked: ExternalQuestion) -> Heard:
        with self._database.reading() as connection:
            secret = self._secret(connection, asked)
            run = queries.run(connection, asked.run)
        if secret is None or run is None:
            missing = f"the secret {asked.secret} is not set; tidegate secret set {asked.service} {asked.secret}"
            raise NotTaken(missing)
        body = json.dumps(
            {
                "id": asked.id,
                "nonce": asked.nonce,
                "delivery": asked.sent,
                "service": asked.service,
                "environment": asked.environment,
                "stage": asked.stage,
                "run": asked.run,
                "release": asked.release,
                "commit": run.change.commit,
                "subject": run.change.subject,
                "evidence": f"{self.address.rstrip('/')}/runs/{asked.run}",
                "callback": f"{self.address.rstrip('/')}/hooks/gate/{asked.id}",
                "asked_at": asked.asked_at.isoformat(),
                "expires_at": asked.expires_at.isoformat(),
            }
        ).encode()
        signature = sign(secret, body, self._clock.now())
        headers = {"Content-Type": "application/json", "User-Agent": "tidegate", HEADER: signature}
        return self.outside.ask(asked.url, body, headers)

    def _secret(self, connection: Connection, asked: ExternalQuestion) -> str | None:
        """Raises WrongKey."""
        sealed = queries.secret(connection, asked.service, asked.secret)
        return None if sealed is None else self._secrets.open(sealed)

    def _keep(
        self, leased: ExternalQuestion, became: Callable[[datetime], ExternalQuestion]
    ) -> ExternalQuestion | None:
        """Keep what became of it; None where an answer came meanwhile, or another sends it now."""
        with self._database.writing() as connection:
            self._database.lock_service(connection, leased.service)
            known = time_queries.question(connection, leased.id)
            if known is None or known.token != leased.token or known.state is not QuestionState.ASKING:
                return None
            now = self._clock.now()
            kept = became(now)
            if now >= known.expires_at and kept.state in _ANSWERS.values():
                kept = known.not_taken("the answer came too late", now)
            rows.put(connection, kept)
            if kept.state in _ANSWERS.values():
                events.append(connection, [_said(kept)], now)
            if kept.detail:
                log.warning("the question %s to %s: %s", kept.id, whom(kept), kept.detail)
        return kept

    def _check_open(self, connection: Connection, asked: ExternalQuestion, now: datetime) -> None:
        if not asked.state.is_open:
            raise Refused(Refusal.CONFLICT, f"the question {asked.id} is {asked.state.value} already")
        if now >= asked.expires_at:
            raise Refused(Refusal.CONFLICT, f"the answer to {asked.id} comes too late")
        if not _is_at_its_gate(connection, asked):
            raise Refused(Refusal.CONFLICT, f"nobody waits for the answer to {asked.id} any more")


def _is_at_its_gate(connection: Connection, asked: ExternalQuestion) -> bool:
    """Whether the run still waits there, in the same attempt and with the same release."""
    run = queries.run(connection, asked.run)
    if run is None or run.status.is_ended or run.release != asked.release or run.cancel_asked_by:
        return False
    return any(
        is_about(asked, stage) and stage.state is StageState.GATE for stage in queries.stages(connection, run.id)
    )


def _understood(asked: ExternalQuestion, heard: Heard, now: datetime) -> ExternalQuestion:
    """What an answer that came at once means. Raises NotTaken."""
    if 300 <= heard.status < 400:
        raise NotTaken(f"it answers {heard.status}: redirects are not followed")
    if not 200 <= heard.status < 300:
        raise NotTaken(f"it answers {heard.status}")
    answer = _answer_in(heard.body)
    return asked.taken() if answer is None else asked.answered(answer.state, answer.reason, now)


def _answer_in(body: bytes) -> Answer | None:
    """The answer in a JSON document; None where there is none yet. Raises NotTaken where it is something else."""
    try:
        document = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        return None
    word = document.get("answer") if isinstance(document, dict) else None
    if word is None:
        return None
    if not isinstance(word, str) or word not in _ANSWERS:
        raise NotTaken('its answer is neither "approved" nor "rejected"')
    return Answer(_ANSWERS[word], _one_line(document.get("reason")))


def _read_call_back(body: bytes, asked: ExternalQuestion) -> Answer:
    """Raises Refused, and NotSigned where it is the answer to another question."""
    try:
        document = json.loads(body)
        answer = _answer_in(body)
    except (ValueError, RecursionError):
        raise Refused(Refusal.INVALID, "the body is no JSON") from None
    except NotTaken as error:
        raise Refused(Refusal.INVALID, str(error)) from None
    if answer is None:
        raise Refused(Refusal.INVALID, 'the body has no "answer"', 'send {"nonce": …, "answer": "approved"}')
    if document.get("nonce") != asked.nonce:
        raise NotSigned
    return answer


def _one_line(text: object) -> str:
    words = text if isinstance(text, str) else ""
    return "".join(char if char.isprintable() else " " for char in words[:LONGEST_REASON]).strip()


def _said(asked: ExternalQuestion) -> Event:
    reason = f": {asked.reason}" if asked.reason else ""
    told = {key: str(value) for key, value in about(asked).items() if key != "question"}
    return Event(
        EventKind.GATE_ANSWERED,
        f"{asked.stage}: {whom(asked)} {asked.state.value}{reason}",
        {"service": asked.service, "run": asked.run, "release": asked.release, **told},
        Actor(ActorKind.SYSTEM, whom(asked)),
        {"question": asked.id, "answer": asked.state.value, "reason": asked.reason},
    )
