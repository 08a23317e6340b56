"""Evidence of harm that may be looked at after every batch, at a stated error level.

**One batch.** Of `trials` events, `hits` fell on the suspect's side, where at most the fraction `chance` is due to it
if it does no harm: of all failed requests those of the new deployment, whose chance is its part of the requests; or of
all requests the failed ones, whose chance is what an objective allows. Against the alternative that the odds are w > 1
times as high, the batch multiplies the evidence by the likelihood ratio

    e_w = w^hits / (1 + (w - 1) chance)^trials.

Its expectation is at most 1 if no harm is done. For independent trials of at most that chance this is arithmetic. For
failures on two sides, given how many failed in all, the new side's number is hypergeometric (Fisher 1935); it is
smaller in convex order than the binomial number of the same mean (Hoeffding 1963, theorem 4) and e_w is convex and
increasing in it, so the expectation can only be smaller, and smaller again where the new side fails less than the old.
Nothing is assumed about how often requests fail, so an incident that hits both sides alike proves nothing, and every
batch may have another split.

**Many batches.** Harm may begin late. With start weights v_j = 1 / (j (j + 1)), which add up to 1, the mixture

    M_k = sum over j of  v_j  mean over w of  product of e_w(i) for i = j..k     (an empty product is 1)

is a nonnegative supermartingale that begins at 1, so the probability that it ever reaches 1/a is at most a, however
often one looks (Ville 1939; Howard, Ramdas, McAuliffe, Sekhon 2021). Each term of the sum is at most M_k; a judge that
asks whether any one term reaches 1/a is on the safe side, and learns since when harm is done.

Batches without a trial multiply by exactly 1 and use up no start weight.

**Bursts.** The guarantee holds for independent requests. Failures come in bursts, though, and a machine that is busy
with something else slows one side for a second. So a batch multiplies the evidence by at most MOST_A_BATCH, which keeps
its expectation below 1 and lets no single batch, however bad, be enough by itself; a burst over many batches still is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ODDS: Floats = np.array([1.5, 2.2, 5.0, 25.0, 125.0])
"""The alternatives w: from half as much again up to a version that nearly always fails."""


MOST_A_BATCH = 20.0
"""How much one batch may speak for harm. Certain harm takes three to five batches to be failed for."""


def log_evidence(hits: Floats, trials: Floats, chance: Floats) -> Floats:
    """log e_w of each batch, at most that of MOST_A_BATCH: arrays of n batches → a row an alternative, n columns."""
    evidence = np.outer(np.log(ODDS), hits) - trials * np.log1p(np.outer(ODDS - 1, chance))
    result: Floats = np.minimum(evidence, np.log(MOST_A_BATCH))
    return result


def log_products_since(hits: Floats, trials: Floats, chance: Floats) -> Floats:
    """From each of n batches to the last, the logarithm of the product of the evidence, averaged over alternatives."""
    return _log_mean_exp(np.cumsum(log_evidence(hits, trials, chance)[:, ::-1], axis=1)[:, ::-1])


def log_start_weights(trials: Floats) -> Floats:
    """log v_j for harm that begins with each of n batches: added to `log_products_since`, the terms of M_n."""
    informative = trials > 0
    rank = 1.0 + np.cumsum(informative) - informative
    result: Floats = -np.log(rank * (rank + 1))
    return result


def log_evidence_path(hits: Floats, trials: Floats, chance: Floats) -> Floats:
    """log M_k after each of n batches: what no look at any single term ever exceeds."""
    products = np.cumsum(log_evidence(hits, trials, chance), axis=1)
    before = np.hstack([np.zeros((len(ODDS), 1)), products[:, :-1]])
    weights = np.where(trials > 0, log_start_weights(trials), -np.inf)
    started = np.logaddexp.accumulate(weights - before, axis=1) + products
    unused = -np.log1p(np.cumsum(trials > 0))
    result: Floats = np.logaddexp(_log_mean_exp(started), unused)
    return result


def _log_mean_exp(rows: Floats) -> Floats:
    result: Floats = np.logaddexp.reduce(rows, axis=0) - np.log(len(rows))
    return result
