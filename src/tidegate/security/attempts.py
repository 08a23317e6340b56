"""Guessing is made slow: after some failures each further attempt has to wait twice as long as the one before."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT_AT_MOST = 10_000
"""Names or addresses whose failures are remembered; the ones that failed longest ago give way."""


class TooManyAttempts(Exception):
    """Nothing was looked at; `wait` is when the next attempt is."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, round(wait.total_seconds()))
        super().__init__(f"there were too many failed attempts; the next one is possible in {self.seconds} s")


@dataclass(frozen=True, slots=True)
class Patience:
    """How many attempts are free, and how long the waits after them are."""

    free: int
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(minutes=5)
    forgotten_after: timedelta = timedelta(hours=1)

    def wait_after(self, failures: int) -> timedelta:
        """How long to wait before the next attempt, after so many failures in a row."""
        beyond = failures - self.free
        if beyond < 0:
            return timedelta(0)
        return min(self.longest_wait, self.first_wait * (1 << min(beyond, 20)))


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    last: datetime


class Attempts:
    """Counts failures under keys, in memory: a restart forgets them. Safe to be asked by several threads.

    An attempt counts as failed from its beginning, so that many at once are no way around the count.
    """

    def __init__(self, now: Callable[[], datetime], patience: Patience, kept_at_most: int = KEPT_AT_MOST) -> None:
        self._now = now
        self._patience = patience
        self._kept_at_most = kept_at_most
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str) -> timedelta:
        """How long to wait before the next attempt."""
        with self._lock:
            return self._wait_of(self._known(key))

    def begin(self, key: str) -> None:
        """An attempt is made. Raises TooManyAttempts, which then does not count as one."""
        with self._lock:
            known = self._known(key)
            wait = self._wait_of(known)
            if wait > timedelta(0):
                raise TooManyAttempts(wait)
            self._put(key, _Failures(known.count + 1, self._now()))

    def succeeded(self, key: str, *, forget: bool) -> None:
        """The attempt was no failure; with `forget` the earlier ones count no more either."""
        with self._lock:
            known = self._failures.pop(key, None)
            if known and known.count > 1 and not forget:
                self._put(key, _Failures(known.count - 1, known.last))

    def _wait_of(self, failures: _Failures) -> timedelta:
        wait = self._patience.wait_after(failures.count)
        # no longer than that, also where the clock was set back meanwhile
        return max(timedelta(0), min(wait, failures.last + wait - self._now()))

    def _known(self, key: str) -> _Failures:
        now = self._now()
        known = self._failures.get(key)
        fresh = known is not None and now - known.last < self._patience.forgotten_after
        return known if known and fresh else _Failures(0, now)

    def _put(self, key: str, failures: _Failures) -> None:
        self._failures[key] = failures
        self._failures.move_to_end(key)
        while len(self._failures) > self._kept_at_most:
            self._failures.popitem(last=False)


class SignInLimits:
    """How often somebody may try, by account and by address.

    Whoever fails at an account holds up its owner for no longer than a minute, and not at all at an address from
    which the owner signed in before.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        of_account: Patience = Patience(free=5, longest_wait=timedelta(minutes=1)),
        of_address: Patience = Patience(free=20),
        of_token: Patience = Patience(free=100, longest_wait=timedelta(minutes=1)),
    ) -> None:
        self._accounts = Attempts(now, of_account)
        self._addresses = Attempts(now, of_address)
        self._tokens = Attempts(now, of_token)
        self._good = _Recent()

    def begin(self, address: str, account: str | None = None) -> None:
        """Somebody tries to sign in. Raises TooManyAttempts."""
        own = self._of(account, address)
        if own and (wait := self._accounts.wait(own)) > timedelta(0):
            raise TooManyAttempts(wait)
        self._addresses.begin(network(address))
        if own:
            self._accounts.begin(own)

    def succeeded(self, address: str, account: str | None = None) -> None:
        """The one that began has signed in."""
        self._addresses.succeeded(network(address), forget=False)
        if own := self._of(account, address):
            self._accounts.succeeded(own, forget=True)
            self._good.add(f"{account} {network(address)}")

    def begin_token(self, address: str, token_hash: str) -> None:
        """Somebody sends a token. Raises TooManyAttempts, but not for a token that was good lately."""
        if token_hash not in self._good:
            self._tokens.begin(network(address))

    def good_token(self, address: str, token_hash: str) -> None:
        """The token is known here."""
        if token_hash not in self._good:
            self._tokens.succeeded(network(address), forget=False)
            self._good.add(token_hash)

    def bad_token(self, token_hash: str) -> None:
        """It is not known, or not any more."""
        self._good.drop(token_hash)

    def _of(self, account: str | None, address: str) -> str | None:
        """Under which key attempts at an account count."""
        known = f"{account} {network(address)}"
        return known if account and known in self._good else account


class _Recent:
    """Words that were seen lately, so many of them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, word: str) -> bool:
        return word in self._seen

    def add(self, word: str) -> None:
        with self._lock:
            self._seen[word] = None
            self._seen.move_to_end(word)
            while len(self._seen) > KEPT_AT_MOST:
                self._seen.popitem(last=False)

    def drop(self, word: str) -> None:
        with self._lock:
            self._seen.pop(word, None)


def network(address: str) -> str:
    """Whom an address stands for: of IPv6 the first half, since one customer has all of the other."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "elsewhere"
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((int(known) >> 64 << 64, 64)))
    return str(known)
