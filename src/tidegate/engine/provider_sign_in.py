"""A sign-in with the provider, from the browser's leaving to its coming back."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.engine.engine import Engine
from tidegate.engine.provider_accounts import ProviderAccounts
from tidegate.model.provider_person import ProviderSettings
from tidegate.model.sign_in import BEGUN_VALID
from tidegate.security.permission import Identity
from tidegate.security.provider import Begun, Provider
from tidegate.security.provider_problems import SignInFailed
from tidegate.security.secret_box import WrongKey

USED_KEPT_AT_MOST = 10_000

_AGAIN = "begin again at /sign-in"


class Seal(Protocol):
    """Seals what a browser carries and must neither read nor change."""

    def seal(self, value: str) -> str:
        """The sealed text."""

    def open(self, sealed: str) -> str:
        """The value again. Raises security.secret_box.WrongKey."""


@dataclass(frozen=True, slots=True)
class Left:
    """A browser that is sent to the provider: to which address, and with which cookie it comes back."""

    address: str
    cookie: str


class ProviderSignIn:
    """What was begun is kept in the browser, sealed; here only which of them came back, so that none does so twice."""

    def __init__(
        self, engine: Engine, provider: Provider, accounts: ProviderAccounts, settings: ProviderSettings, seal: Seal
    ) -> None:
        self._now = engine.parts.clock.now
        self._provider = provider
        self._seal = seal
        self._used: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self.accounts = accounts
        self.label = settings.label

    def begin(self, return_to: str, then: str) -> Left:
        """Send a browser to the provider; afterwards it goes on to `then`. Raises ProviderAway."""
        address, begun = self._provider.begin(return_to)
        kept = [begun.state, begun.nonce, begun.verifier, then, self._now().isoformat()]
        return Left(address, self._seal.seal(json.dumps(kept)))

    def finish(self, answer: dict[str, str], cookie: str | None, return_to: str) -> tuple[Identity, str]:
        """Who came back, and where it goes on. Raises SignInFailed, ProviderAway, and Refused."""
        begun, then = self._begun(cookie)
        person = self._provider.finish(answer, begun, return_to)
        return self.accounts.identity_of(person), then

    def sign_out_address(self, back_to: str) -> str | None:
        """Where the browser signs out of the provider as well."""
        return self._provider.sign_out_address(back_to)

    def _begun(self, cookie: str | None) -> tuple[Begun, str]:
        """What this browser began, once. Raises SignInFailed."""
        if not cookie:
            raise SignInFailed(f"this browser has begun no sign-in, or too long ago; {_AGAIN}")
        try:
            state, nonce, verifier, then, begun_at = json.loads(self._seal.open(cookie))
        except (WrongKey, ValueError):
            raise SignInFailed(f"this browser has begun no sign-in here; {_AGAIN}") from None
        if not timedelta(0) <= self._now() - datetime.fromisoformat(begun_at) < BEGUN_VALID:
            raise SignInFailed(f"this sign-in took longer than ten minutes; {_AGAIN}")
        with self._lock:
            if state in self._used:
                raise SignInFailed(f"this sign-in was finished before; {_AGAIN}")
            self._used[state] = None
            while len(self._used) > USED_KEPT_AT_MOST:
                self._used.popitem(last=False)
        return Begun(state, nonce, verifier), then
