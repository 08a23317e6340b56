"""Bearer tokens: whose they are, and that nothing but the very token is one."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.model.actor import Actor, ActorKind
from tidegate.model.people import Role
from tidegate.security.permission import everywhere, local_agent_identity
from tidegate.security.tokens import Tokens

ADA = everywhere(Actor(ActorKind.PERSON, "ada"), Role.ADMIN)
ROBOT = local_agent_identity()
ADAS, ROBOTS = "3hT_ada-token", "9kQ_agent-token"


def some_tokens() -> Tokens:
    tokens = Tokens()
    tokens.add(ADAS, ADA)
    tokens.add(ROBOTS, ROBOT)
    return tokens


def test_a_token_speaks_for_who_it_was_given_to() -> None:
    assert some_tokens().find(ADAS) == ADA
    assert some_tokens().find(ROBOTS) == ROBOT


@given(other=st.text())
@example("")
@example(ADAS[:-1])
@example(ADAS + " ")
@example(ADAS.upper())
@example(ADAS + "\0")
def test_whatever_is_not_the_very_token_is_nobodys(other: str) -> None:
    if other not in (ADAS, ROBOTS):
        assert some_tokens().find(other) is None


def test_an_empty_token_is_refused_because_it_would_let_everybody_in() -> None:
    tokens = Tokens()
    with pytest.raises(ValueError, match="let everybody in"):
        tokens.add("", ADA)
    assert tokens.find("") is None


@pytest.mark.parametrize("asked", [ADAS, ROBOTS, "nobody's", ADAS[:-1]])
def test_every_known_token_is_compared_in_constant_time_whichever_is_asked_for(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []
    really = hmac.compare_digest

    def _counting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return really(one, other)

    monkeypatch.setattr(hmac, "compare_digest", _counting)
    some_tokens().find(asked)
    assert len(set(compared)) == 2


def test_tokens_themselves_are_not_kept() -> None:
    assert "ada-token" not in repr(vars(some_tokens()))
