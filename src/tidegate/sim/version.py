"""Versions of a simulated service and how they behave."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from tidegate.model.ids import Commit

GOOD_ERROR_SHARE = 0.002
GOOD_ORDERS = 0.3
VISIBLE_ERRORS, VISIBLE_SLOWNESS = 0.2, 3.0


@dataclass(slots=True)
class Version:
    """What one commit does when it is built, tested, installed and used. Without a word it is good."""

    name: str
    order: int
    error_share: float = GOOD_ERROR_SHARE
    slowness: float = 1.0
    leak_a_minute: float = 0.0
    """How much its share of errors grows in a minute, from when a deployment of it first serves."""

    build_fails: bool = False
    tests_fail: bool = False
    prepare_fails: bool = False
    never_healthy: bool = False
    dies_after: timedelta | None = None
    orders: float = GOOD_ORDERS
    """Which share of its requests is an order, as its own figures say."""

    wishes: float = 0.0
    """Which share uses its wish list; 0 where it has none."""

    checks_fail: bool = False
    saturates: bool = False
    """It holds less than a load check asks for; its users notice nothing of that."""

    line_coverage: float | None = None
    """Percent of the lines, and how many tests fail, as its build reports them; None where it reports nothing."""

    failed_tests: int | None = None

    def fails(self, share: float) -> Version:
        """Let a share of its requests fail."""
        self.error_share = share
        return self

    def leaks(self, share_a_minute: float) -> Version:
        """Let so much more of its requests fail with every minute."""
        self.leak_a_minute = share_a_minute
        return self

    def slows(self, factor: float) -> Version:
        """Let it answer so many times as slowly."""
        self.slowness = factor
        return self

    @property
    def commit(self) -> Commit:
        """The id of its commit."""
        return Commit(hashlib.sha1(self.name.encode(), usedforsecurity=False).hexdigest())

    @property
    def is_good(self) -> bool:
        """Whether it should be promoted."""
        return self.does_no_harm and not (self.breaks or self.saturates or self.checks_fail or self.lowers_orders)

    @property
    def lowers_orders(self) -> bool:
        """Whether fewer of its users order, of which the router sees nothing."""
        return self.orders < GOOD_ORDERS

    @property
    def does_no_harm(self) -> bool:
        """Whether its users notice nothing of it."""
        return self.error_share <= GOOD_ERROR_SHARE and self.slowness <= 1 and not self.leak_a_minute

    @property
    def is_harmful(self) -> bool:
        """Whether its users notice it so much that a judge with enough requests has to."""
        return self.error_share >= VISIBLE_ERRORS or self.slowness >= VISIBLE_SLOWNESS

    @property
    def cannot_run(self) -> bool:
        """Whether its instances never stay healthy, wherever they are installed."""
        return self.prepare_fails or self.never_healthy or self.dies_after is not None

    @property
    def breaks(self) -> bool:
        """Whether it cannot be built, tested or run."""
        return self.build_fails or self.tests_fail or self.cannot_run
