"""Rows of two shares of requests, judged batch by batch: harm, safety, and the figures behind them.

A row is one question about one metric of one rollout: errors, orders, requests slower than an edge. All rows are
judged at once, and each by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tidegate.judge.arrays import Flags, Floats
from tidegate.judge.dispersion import Dispersion
from tidegate.judge.lasting import BURSTS, FEWER_BURSTS, STRETCHES_A_QUARTER, Stretches
from tidegate.judge.mixture import Evidence
from tidegate.judge.two_proportions import Counts, Line, log_bets


@dataclass(frozen=True, slots=True)
class Harms:
    """The alternatives: how many times the odds are what is tolerated, and the weight of each; these add up to 1."""

    odds: Floats
    weights: Floats
    most_a_batch: float
    """How much one batch may speak for harm, as a logarithm. A single bad moment is never enough by itself."""

    least_known: float = 0.0
    """Requests to the baseline before one bets: of what is rare the ratio matters, and a guess of the rate will do."""

    come_in_bursts: bool = False
    """Whether one client may bring many hits within minutes, so that evidence must last (see `lasting`)."""


ERROR_HARMS = Harms(
    odds=np.array([1.3, 1.6, 2.0, 2.6, 4.2, 9.0, 25.0, 120.0]),
    weights=np.array([0.07, 0.2, 0.3, 0.14, 0.12, 0.06, 0.06, 0.05]),
    most_a_batch=np.log(4.2),
    come_in_bursts=True,
)
"""Of what is rare, and comes in bursts."""

DOWN_HARMS = Harms(
    odds=np.array([1.07, 1.15, 1.3, 1.6, 2.5, 10.0]),
    weights=np.array([0.15, 0.25, 0.25, 0.15, 0.1, 0.1]),
    most_a_batch=np.log(4.2),
    least_known=50.0,
)
"""Of what should happen and does not: the odds that it does not."""

SHIFT_HARMS = Harms(
    odds=np.array([1.2, 1.4, 1.8, 3.0, 10.0]), weights=np.array([0.25, 0.3, 0.2, 0.15, 0.1]), most_a_batch=np.log(15.0)
)
"""Of shares above edges of latency."""

SAFETIES: Floats = np.array([1.0, 0.3])
"""The alternatives to harm above the margin: the canary's odds are the baseline's, or better."""

MOST_FOR_SAFETY = np.log(25.0)
"""How much one batch may speak against harm."""

MEMORY = 0.97
"""How much of what it knew of the baseline's rate a row keeps with each batch."""

_PRIOR_HITS, _PRIOR_OF = 0.5, 50.0
_LEAST_KNOWN = 50.0
_LEAST_UNKNOWN, _UNKNOWN_WITH_HISTORY = 0.25, 0.08
"""An hour of the rollout itself says less than one of history: harm may be in it."""

_SEEN = np.log(10.0)
_LEAST, _MOST = 1e-9, 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of each row: the line of tolerated harm, and the line of harm that must be excluded to pass."""

    tolerated: Line
    margin: Line


@dataclass(frozen=True, slots=True)
class Rows:
    """What is known of R rows after some batches. `rate` is the baseline's as far as known: hits and requests (2 x R).

    `since` are the counts since harm probably began: the canary's requests and hits, the baseline's (4 x R), and
    `since_batches` how many batches these are (R). `total` and `step_batches` are those of the whole step. `log_safe`
    is the evidence against harm above the margin, of each alternative.
    """

    harms: Harms
    rate: Floats
    dispersion: Dispersion
    harm: Evidence
    stretches: Stretches
    learned: Floats
    """How many batches of one version on both sides were seen before (R)."""
    log_safe: Floats
    log_since: Floats
    since: Floats
    since_batches: Floats
    total: Floats
    step_batches: Floats
    margin: Line
    """The latest line of harm that must be excluded,"""
    latest_rate: Floats
    """and what the baseline's rate was thought to be."""

    @classmethod
    def new(cls, rows: int, harms: Harms, horizon: float, lengths: int) -> Rows:
        """Before the first batch."""
        return cls(
            harms=harms,
            rate=np.zeros((2, rows)),
            dispersion=Dispersion.unknown(rows, lengths),
            harm=Evidence.none(rows, harms.weights, horizon),
            stretches=Stretches.none(rows, max(1, round(horizon / STRETCHES_A_QUARTER))),
            learned=np.zeros(rows),
            log_safe=np.zeros((rows, len(SAFETIES))),
            log_since=np.zeros(rows),
            since=np.zeros((4, rows)),
            since_batches=np.zeros(rows),
            total=np.zeros((4, rows)),
            step_batches=np.zeros(rows),
            margin=Line(np.ones(rows), np.zeros(rows)),
            latest_rate=np.full(rows, 0.5),
        )

    def learns(self, counts: Counts) -> Rows:
        """With a batch in which both sides ran the same version: it tells of the rate and the dispersion only."""
        both = (counts.canary_of > 0) & (counts.baseline_of > 0)
        return replace(
            self,
            rate=self._rate_after(counts),
            dispersion=self.dispersion.after(counts, harmless=True),
            learned=self.learned + both,
        )

    def after(self, counts: Counts, rules: Rules, baseline: Floats | None = None) -> Rows:
        """With one more batch. `baseline` is the baseline's rate as far as it was known before, where not from here."""
        known = (counts.canary_of > 0) & (counts.baseline_of > 0)
        rate = self.baseline_rate() if baseline is None else np.clip(baseline, _LEAST, _MOST)
        factor = self.dispersion.factor(self._unknown())[:, None]
        sure = self.dispersion.surely()[:, None]
        harms = _tempered(
            log_bets(counts, rules.tolerated, *_harmful(rate, rules.tolerated, self.harms)),
            factor,
            self.harms.most_a_batch,
        )
        safeties = _tempered(log_bets(counts, rules.margin, *_harmless(rate, rules.margin)), sure, MOST_FOR_SAFETY)
        safeties *= self._knows(_LEAST_KNOWN, baseline)
        alternatives = np.logaddexp.reduce(harms + np.log(self.harms.weights), axis=1)
        log_since = np.maximum(self.log_since + alternatives, 0.0) * known + self.log_since * ~known
        goes_on = (self.log_since > 0) | ~known
        figures = np.stack([counts.canary_of, counts.canary_hits, counts.baseline_of, counts.baseline_hits]) * known
        harm = self.harm.after(harms, known)
        latest = self._rate_after(counts)
        expected = counts.canary_of * (_known_rate(latest) if baseline is None else rate)
        return replace(
            self,
            rate=latest,
            dispersion=self.dispersion.after(counts),
            harm=harm,
            stretches=self.stretches.after(harm.log_total(), counts.canary_hits - expected, expected, known),
            log_safe=self.log_safe + safeties * known[:, None],
            log_since=log_since,
            since=self.since * goes_on + figures,
            since_batches=self.since_batches * goes_on + known,
            total=self.total + figures,
            step_batches=self.step_batches + known,
            margin=rules.margin,
            latest_rate=rate,
        )

    def forgets(self, rows: Flags) -> Rows:
        """Of the `rows`, what is counted from now on is something else than before: what is known stays evidence."""
        since = np.where(rows, 0.0, self.since)
        return replace(
            self,
            dispersion=self.dispersion.forgets_counts(rows),
            log_since=np.where(rows, 0.0, self.log_since),
            since=since,
            since_batches=np.where(rows, 0.0, self.since_batches),
        )

    def at_new_step(self) -> Rows:
        """Evidence of harm goes on, that of safety begins anew."""
        return replace(
            self,
            log_safe=np.zeros_like(self.log_safe),
            total=np.zeros_like(self.total),
            step_batches=np.zeros_like(self.step_batches),
        )

    def log_lasting(self) -> Floats:
        """The logarithm of the evidence that may fail a rollout: of what comes in bursts, as far as it lasts."""
        if not self.harms.come_in_bursts:
            return self.harm.log_total()
        quarters = self._quarters()
        bursts = np.where(self._has_history(), 0, np.where(quarters < 1, BURSTS, FEWER_BURSTS))
        return self.stretches.lasting(bursts.astype(np.float64))

    def likely(self) -> Floats:
        """The counts since harm probably began; of the whole step where no harm is to be seen (4 x R)."""
        return np.where(self.is_seen(), self.since, self.total)

    def is_seen(self) -> Flags:
        """Of which rows there is something of harm to be seen."""
        result: Flags = self.log_since > _SEEN
        return result

    def log_safety(self) -> Floats:
        """The logarithm of the evidence that harm is below the margin: R values."""
        result: Floats = np.logaddexp.reduce(self.log_safe, axis=1) - np.log(len(SAFETIES))
        return result

    def batches_to(self, log_safety: float) -> Floats:
        """How many batches more until so much evidence of safety, if all goes on as it did on average at this step;
        infinite where it would not grow (R)."""
        average = self.total / np.maximum(self.step_batches, 1.0)
        rate = self.baseline_rate() if self.rate[1].all() else self.latest_rate
        bets = (
            log_bets(Counts(*average), self.margin, *_harmless(rate, self.margin)) / self.dispersion.surely()[:, None]
        )
        growth = np.minimum(bets.max(axis=1), MOST_FOR_SAFETY)
        left = np.maximum(log_safety - self.log_safety(), 0.0)
        result: Floats = np.divide(left, growth, out=np.full_like(left, np.inf), where=growth > 1e-12)
        return result

    def baseline_rate(self) -> Floats:
        """What the baseline's rate is thought to be."""
        return _known_rate(self.rate)

    def _quarters(self) -> Floats:
        """How many quarters of an hour are known, with history."""
        return (self.learned + self.harm.batches) / self.harm.horizon

    def _unknown(self) -> Floats:
        """How much is unknown of how the counts vary: 1 at first, and little after an hour."""
        least = np.where(self._has_history(), _UNKNOWN_WITH_HISTORY, _LEAST_UNKNOWN)
        return np.clip(1 - self._quarters() / 4, least, 1.0)

    def _has_history(self) -> Flags:
        """Of which rows an hour is known of before the rollout."""
        result: Flags = self.learned >= 4 * self.harm.horizon
        return result

    def _knows(self, least: float, baseline: Floats | None) -> Floats | float:
        return 1.0 if baseline is not None else (self.rate[1] >= least)[:, None].astype(np.float64)

    def _rate_after(self, counts: Counts) -> Floats:
        more = np.stack([counts.baseline_hits, counts.baseline_of])
        return np.where(counts.baseline_of > 0, self.rate * MEMORY + more, self.rate)


def _known_rate(rate: Floats) -> Floats:
    hits, of = rate
    result: Floats = np.clip((hits + _PRIOR_HITS) / (of + _PRIOR_OF), _LEAST, _MOST)
    return result


def _harmful(rate: Floats, line: Line, harms: Harms) -> tuple[Floats, Floats]:
    """Pairs of chances beyond the line: R rows of alternatives."""
    tolerated = np.clip(line.at(rate), _LEAST, _MOST)[:, None]
    odds = harms.odds * tolerated / (1 - tolerated)
    return np.broadcast_to(rate[:, None], odds.shape), np.clip(odds / (1 + odds), _LEAST, _MOST)


def _harmless(rate: Floats, line: Line) -> tuple[Floats, Floats]:
    """Pairs of chances well below the margin's line."""
    odds = SAFETIES * (rate / (1 - rate))[:, None]
    canary = np.clip(odds / (1 + odds), _LEAST, _MOST)
    # where the margin's line lies below, there is nothing to bet on
    canary = np.minimum(canary, line.at(rate)[:, None] * (1 - 1e-9))
    return np.broadcast_to(rate[:, None], canary.shape), canary


def _tempered(bets: Floats, factor: Floats, most: float) -> Floats:
    result: Floats = np.minimum(bets / factor, most)
    return result
