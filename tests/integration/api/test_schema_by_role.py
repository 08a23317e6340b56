"""What Schemathesis makes of the API's own document, sent as everybody in turn: nothing breaks, nobody gets more."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.feedback import FeedbackSources
from tests.integration.store.conftest import postgres

from tidegate.api import agents
from tidegate.security.permission import Permission

from .everybody import Everybody, Sender, everybody
from .in_process import ask
from .routes import declared_permissions
from .test_access import OPEN

__all__ = ["postgres"]

EXAMPLES = int(os.environ.get("TIDEGATE_SCHEMA_EXAMPLES", "30"))
"""How many requests the slow test makes for every operation, as everybody each."""

OPEN_BY_SIGNATURE = {"POST /hooks/gate/{question}", "POST /hooks/alertmanager"}
OF_ONES_OWN = {"POST /api/v1/delegations"}
"""What a role for one service is enough for, since it is one's own word that is lent."""

REFUSES_READERS = {"GET /api/v1/git/{name}.git/info/refs", "GET /api/v1/accounts/{name}/sessions"}
"""What refuses some of those who have its permission: another protocol than git's for reading, what is another's."""

KNOWN_NAMES = {
    "/accounts/": "spare", "/teams/": "spares", "/agents/": "one", "/trains/": "payments",
    "/environments/": "production",
}  # fmt: skip
LOST = {"DELETE /api/v1/services/{name}": "gone", "DELETE /api/v1/agents/{name}": "spare"}
LOST["POST /api/v1/agents/{name}/token"] = "spare"
"""What is asked about where something is lost by that: what nothing else asks about."""

ENDING = ["approve", "reject", "withdraw", "break-glass", "/grants", "token", "DELETE", "cancel"]
KNOWN_WORDS = {"reason": "because", "comment": "fine", "account": "spare"}
"""What acts want to be told."""

DONE_AT_LEAST = {GenerationMode.POSITIVE: 80, GenerationMode.NEGATIVE: 0}
"""How many of some 110 operations somebody has to get done; others need what cannot be there at the same time."""

NASTY = [
    "\x00",
    "a\x00b",
    "..",
    "../..",
    "a/b",
    "%2F",
    "%00",
    "%",
    "é" * 70,
    "x" * 5000,
    "9" * 40,
    "-1",
    "",
    " ",
    "\u202e",
]
NASTY_VALUES = [
    *NASTY,
    "\ud800",
    2**63,
    -(2**63) - 1,
    10**400,
    1e308,
    None,
    True,
    [],
    {},
    json.loads("[" * 200 + "]" * 200),
]
NASTY_VALUES += ["9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59", "2026-02-30", "2026-01-01T00:00:00"]


Operation = APIOperation[Any, Any, Any, Any]
Request = Case[Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, as it goes out whoever sends it."""

    operation: str
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = b""
    of_another: bool = False
    """Whether it names another account than the sender's."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether what was put into the path makes it another path, which may be nobody's or another operation's."""
        path = unquote(self.url.partition("?")[0])
        return path.count("/") != self.operation.count("/") or "//" in path or path.endswith("/")

    @property
    def is_readable(self) -> bool:
        """Whether the body is one: what is none is refused whoever sends it."""
        if self.headers.get("Content-Type") != "application/json":
            return True
        try:
            json.loads(self.content)
        except (ValueError, RecursionError):
            return False
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents wait for nothing."""
    monkeypatch.setattr(agents, "LONG_POLL_SECONDS", 0.01)
    monkeypatch.setattr(agents, "ON_ITS_WAY", timedelta(0))


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Everybody]:
    """A server, for all that is sent."""
    with everybody(tmp_path) as found:
        yield found


@pytest.fixture
def people_on_postgres(postgres: str, tmp_path: Path) -> Iterator[Everybody]:
    """The same over PostgreSQL, which takes less than SQLite does: no NUL in texts, no larger numbers."""
    with everybody(tmp_path, postgres) as found:
        yield found


def test_nothing_breaks_and_nobody_gets_what_their_role_must_not(people: Everybody) -> None:
    assert found_wrong(people, GenerationMode.POSITIVE, examples=1) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_breaks_however_much_is_sent(people: Everybody, mode: GenerationMode) -> None:
    assert found_wrong(people, mode, examples=EXAMPLES) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_breaks_over_postgres(people_on_postgres: Everybody) -> None:
    assert found_wrong(people_on_postgres, GenerationMode.POSITIVE, examples=EXAMPLES) == {}


def found_wrong(people: Everybody, mode: GenerationMode, examples: int) -> dict[str, str]:
    """The first thing that is wrong with each operation."""
    schema = schemathesis.openapi.from_dict(people.world.app.openapi())
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) > 100
    wrong: dict[str, str] = {}
    with Round(people) as sends:
        for operation in sorted(operations, key=_how_final):
            takes_body = "application/json" in operation.get_request_payload_content_types()
            if mode is GenerationMode.NEGATIVE and not (takes_body or list(operation.iter_parameters())):
                continue
            wanted = _requests(operation, people.known, mode)
            if found := _first_wrong(operation, wanted, sends, examples if takes_body else (examples + 1) // 2):
                wrong[operation.label] = found
        assert sends.count > len(people.senders) * len(operations) // 2
        assert wrong or len(sends.done) > DONE_AT_LEAST[mode], sorted(sends.done)
        _all_are_who_they_were(people, sends)
    return wrong


def _how_final(operation: Operation) -> int:
    """What ends something comes after what is done to it."""
    return next((number for number, part in enumerate(ENDING, 1) if part in operation.label), 0)


def _first_wrong(operation: Operation, wanted: st.SearchStrategy[Sent], sends: Round, examples: int) -> str | None:
    wrong: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 10,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(wanted)
    def _send(sent: Sent) -> None:
        # kept rather than raised: the server is not what it was before, so that the same again may do no harm
        try:
            sends(sent, operation)
        except AssertionError as error:
            wrong.append(str(error))

    _send()
    return next(iter(wrong), None)


class Round:
    """Sends a request as everybody in turn, who may least first, and looks at every answer."""

    def __init__(self, people: Everybody) -> None:
        self._people = people
        self._needs = declared_permissions(people.world.app)
        self._keys = itertools.count()
        self._runner = asyncio.Runner()
        self.count = 0
        self.done: set[str] = set()

    def __enter__(self) -> Round:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def __call__(self, sent: Sent, operation: Operation) -> None:
        """Raises AssertionError."""
        key = {} if sent.method == "GET" else {"Idempotency-Key": f"round-{next(self._keys)}"}
        senders = [*self._people.senders]
        if key:  # an answer that is kept for who may is not given to others
            senders += [one for one in senders if one.name == "viewer"]
        for sender in senders:
            answer = self.answer(sender, sent, key)
            told = f"{sent} as {sender.name}: {answer.status_code} {answer.text[:500]}"
            assert answer.status_code < 500, told
            self._check_hidden(answer, told)
            self._check_permission(sender, sent, answer.status_code, told)
            if answer.is_success:
                self.done.add(sent.operation)
            if answer.is_error:
                _check_problem(answer, told)
            elif answer.headers.get("content-type") == "application/json":
                _check_schema(operation, answer, told)

    def answer(self, sender: Sender, sent: Sent, more: Mapping[str, str]) -> httpx.Response:
        """What that one gets."""
        self.count += 1
        own = {"authorization": f"Bearer {sender.token}"} if sender.token else {}
        asking = ask(self._people.world.app, sent.method, sent.url, {**sent.headers, **more, **own}, sent.content)
        return self._runner.run(asking)

    def _check_hidden(self, answer: httpx.Response, told: str) -> None:
        text = f"{answer.headers} {answer.text}"
        assert not [name for name, value in self._people.hidden.items() if value in text], told

    def _check_permission(self, sender: Sender, sent: Sent, status: int, told: str) -> None:
        needed, is_done = self._needs.get(sent.operation), status < 300
        if sent.is_elsewhere or not sent.is_readable:
            assert not is_done or sender.token, told
        elif needed is None:
            assert sent.operation in OPEN | OPEN_BY_SIGNATURE, told
        elif sender.token is None:
            assert status == 401, told
        elif needed not in sender.permissions:
            assert status == 403, told
        elif sender.only_of_mail and needed in (Permission.DEVELOP, Permission.APPROVE):
            assert not is_done or sent.operation in OF_ONES_OWN, told
        elif needed is Permission.SIGN_IN and sent.of_another and Permission.ADMINISTER not in sender.permissions:
            assert not is_done, told
        elif sent.method == "GET" and sent.operation not in REFUSES_READERS:
            assert status != 403, told


def _check_problem(answer: httpx.Response, told: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json", told
    problem = answer.json()
    assert problem["status"] == answer.status_code and problem["detail"], told


def _check_schema(operation: Operation, answer: httpx.Response, told: str) -> None:
    try:
        operation.validate_response(answer)
    except FailureGroup as error:
        raise AssertionError(f"{told}: {error.exceptions[0]}") from error


def _all_are_who_they_were(people: Everybody, sends: Round) -> None:
    """Otherwise what was sent last would have been sent by nobody in particular."""
    me = Sent("GET /api/v1/me", "GET", "/api/v1/me", {})
    for sender in people.senders:
        expected = 200 if Permission.READ in sender.permissions else 403 if sender.token else 401
        answer = sends.answer(sender, me, {})
        assert answer.status_code == expected, sender
        assert not answer.is_success or answer.json()["account"] == sender.name


def _takes_something(operation: Operation) -> bool:
    return (
        bool(list(operation.iter_parameters())) or "application/json" in operation.get_request_payload_content_types()
    )


def _requests(operation: Operation, known: Mapping[str, str], mode: GenerationMode) -> st.SearchStrategy[Sent]:
    """Requests of an operation: about what there is, as Schemathesis makes them, and with something nasty in them."""
    found = operation.as_strategy(generation_mode=mode, feedback=FeedbackSources())
    return st.builds(
        lambda case, change, text, value: change(case, known, text, value),
        found,
        st.sampled_from([_about_what_there_is, _about_what_there_is, _as_it_is, _nasty_path, _nasty_body]),
        st.sampled_from(NASTY),
        st.sampled_from(NASTY_VALUES),
    )


Change = Callable[[Request, Mapping[str, str], str, Any], Sent]


def _about_what_there_is(case: Request, known: Mapping[str, str], text: str, value: Any) -> Sent:
    del text, value
    return _sent(_with_known(case, known))


def _as_it_is(case: Request, known: Mapping[str, str], text: str, value: Any) -> Sent:
    del known, text, value
    return _sent(case)


def _nasty_path(case: Request, known: Mapping[str, str], text: str, value: Any) -> Sent:
    """One thing of the path, or all that is asked for behind it."""
    del value
    case = _with_known(case, known)
    if case.path_parameters:
        last = list(case.path_parameters)[-1]
        case.path_parameters = {**case.path_parameters, last: text or "x"}
    case.query = dict.fromkeys(case.query or {}, text)
    return _sent(case)


def _nasty_body(case: Request, known: Mapping[str, str], text: str, value: Any) -> Sent:
    """In each field in turn, by the length of the text."""
    case = _with_known(case, known)
    if isinstance(case.body, dict) and case.body:
        names = sorted(case.body)
        case.body = {**case.body, names[len(text) % len(names)]: value}
    return _sent(case)


def _with_known(case: Request, known: Mapping[str, str]) -> Request:
    place = next((name for part, name in KNOWN_NAMES.items() if part in case.operation.path), "shop")
    here = {**known, "name": LOST.get(case.operation.label, place)}
    case.path_parameters = {name: here.get(name, value) for name, value in (case.path_parameters or {}).items()}
    if isinstance(case.body, dict):
        there = {**known, **KNOWN_WORDS}
        case.body = {name: there.get(name, value) for name, value in case.body.items() if name != "begins"}
    case.query = {name: known.get(name, value) for name, value in (case.query or {}).items()}
    return case


def _sent(case: Request) -> Sent:
    """As the library puts it on the wire; without headers of its own making."""
    kept = {name: value for name, value in (case.headers or {}).items() if name.lower() in ("accept", "content-type")}
    case.headers = CaseInsensitiveDict(kept)
    made = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
    body = made.body.encode() if isinstance(made.body, str) else made.body or b""
    headers = {name: made.headers[name] for name in ("Accept", "Content-Type") if name in made.headers}
    names = isinstance(case.body, dict) and bool(case.body.get("account"))
    of_another = names or "name" in (case.path_parameters or {}) or "token" in (case.path_parameters or {})
    path = str(made.url).removeprefix("http://localhost")
    return Sent(case.operation.label, case.method.upper(), path, headers, bytes(body), of_another)
