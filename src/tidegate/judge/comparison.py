"""The judge that compares a new deployment with the one that runs beside it, and may be asked as often as one likes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, inf, log
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING

from tidegate.judge.judge import Case
from tidegate.judge.shown import Shown
from tidegate.judge.users import only_synthetic
from tidegate.model.figures import Batch
from tidegate.model.metric import HistoryBatch
from tidegate.model.rollout_recording import OWN_WEIGHT
from tidegate.model.verdict import ONLY_SYNTHETIC, Judgement, MetricFinding, Verdict

if TYPE_CHECKING:
    from tidegate.judge.rollout_state import RolloutState, Standard

FALSE_ALARM_LEVEL = 0.01
"""Over all metrics and all looks of one rollout."""

DEFAULT_AVAILABILITY = 0.99
"""What is asked of a deployment without a baseline where the file gives no objective."""

SUSPICION = 10.0
"""A step does not pass while the evidence of harm is this large."""

_MOST_KEPT = 256
"""Rollouts of which the state is kept; one that is pushed out is judged from its beginning once."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The state after these batches; `alone_at` is the step at which they were judged without a baseline."""

    batches: tuple[Batch, ...]
    standard: Standard
    history: Mapping[str, Sequence[HistoryBatch]]
    alone_at: int | None
    step: int
    state: RolloutState


@dataclass(frozen=True, slots=True)
class ComparisonJudge:
    """A Judge for errors, latency, and a service's own metrics; `level` bounds how often a harmless deployment fails.

    It fails a deployment on evidence of harm from the whole rollout, and passes a step once that step's batches
    exclude harm above a margin. The state of a rollout is kept between looks, which changes no answer.
    """

    level: float = FALSE_ALARM_LEVEL
    _kept: OrderedDict[Batch, _Kept] = field(default_factory=OrderedDict, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def judge(self, case: Case) -> Judgement:
        """The verdict after the last batch. A side without data at this step is NO_DATA, whatever came before."""
        lacking = _lacking(case)
        if lacking:
            return Judgement(Verdict.NO_DATA, lacking, level=self.level)
        # numpy is loaded here, so that a server that judges nothing stays small
        from tidegate.judge.past import OWN_BEFORE_WEIGHT, own_before
        from tidegate.judge.showing import own_metrics, shown_of

        alone = not case.expects_baseline
        standard = _standard(case)
        state = self._state(case, standard)
        seconds = _batch_seconds(case.batches)
        found = shown_of(state, seconds, alone=alone, has_objective=case.rule.availability is not None)
        found += own_metrics(case.metrics, case.step, alone=alone)
        words = _latency_words(case, standard, found, alone=alone)
        if alone:
            before = own_before(case.metrics, case.batches, case.step)
            found += before.shown
            words = replace(words, not_judged=(*words.not_judged, *before.not_judged))
        # the weights stay what they were from the first look on, whatever has figures by now
        whole = 1.0 + (OWN_WEIGHT + OWN_BEFORE_WEIGHT if case.metrics else 0.0)
        found = [replace(one, weight=one.weight / whole) for one in found]
        return self._decide(case, found, words)

    def _decide(self, case: Case, found: list[Shown], words: _Unjudged) -> Judgement:
        from tidegate.judge.wording import harm_sentence

        counted = {one.name: _weighted(one) for one in found if one.serious}
        evidence = _sum_of(list(counted.values()))
        if evidence >= -log(self.level):
            worst = max((one for one in found if one.serious), key=_weighted)
            seconds = sum((batch.end - batch.begin).total_seconds() for batch in case.batches)
            reason = harm_sentence(worst, exp(-min(evidence, 690.0)), self.level, seconds)
            return self._say(Verdict.FAIL, found, [reason], blamed=worst.name, evidence=evidence)
        if words.missing:
            return self._say(Verdict.NO_DATA, found, list(words.missing))
        suspicion = _sum_of([_suspicion(one) for one in found if one.serious])
        suspected = suspicion >= log(SUSPICION) or any(one.looks_worse for one in found)
        return self._pass_or_wait(case, found, words.not_judged, suspected=suspected)

    def _pass_or_wait(
        self, case: Case, found: list[Shown], not_judged: tuple[str, ...], *, suspected: bool
    ) -> Judgement:
        from tidegate.judge.wording import safe_sentence

        now = [one for one in found if one.is_asked_now]
        if suspected or not all(one.safe for one in now):
            reasons = [*_why_undecided(found, now, suspected=suspected), *not_judged]
            return replace(self._say(Verdict.UNDECIDED, found, reasons), suspects=suspected)
        missing = _missing_side(case.batches[-1], expects_baseline=case.expects_baseline)
        if missing or case.batches[-1].step != case.step:
            words = f"the latest figures of the {missing or 'new'} deployment are missing; a step passes on fresh ones"
            return self._say(Verdict.UNDECIDED, found, [words])
        alone = only_synthetic(case.batches, case.rule.traffic)
        by = (ONLY_SYNTHETIC,) if alone else ()
        passed = self._say(Verdict.PASS, found, [*(safe_sentence(one) for one in now), *not_judged, *by])
        return replace(passed, only_synthetic=alone)

    def _say(
        self,
        verdict: Verdict,
        found: list[Shown],
        sentences: list[str],
        blamed: str | None = None,
        evidence: float = 0.0,
    ) -> Judgement:
        return Judgement(
            verdict=verdict,
            reason=". ".join(sentences),
            blamed=blamed,
            metrics=tuple(
                _finding(one, max(_weighted(one), evidence if one.name == blamed else -inf), blamed)
                for one in found
                if one.is_asked_now or one.requests
            ),
            level=self.level,
        )

    def _state(self, case: Case, standard: Standard) -> RolloutState:
        """The state after all batches, from the kept one as far as that is of the same rollout."""
        from tidegate.judge.rollout_state import RolloutState

        batches = tuple(case.batches)
        alone_at = None if case.expects_baseline else case.step
        with self._lock:
            kept = self._kept.get(batches[0])
        if kept and kept.history == case.history and _goes_on(kept, batches, standard, alone_at):
            state, seen, step = kept.state, len(kept.batches), kept.step
        else:
            seconds = _batch_seconds(batches)
            state = RolloutState.new(standard, seconds).knowing(case.history, seconds)
            seen, step = 0, batches[0].step
        for batch in batches[seen:]:
            if batch.step != step:
                state, step = state.at_new_step(), batch.step
            state = state.after(batch, is_alone=batch.step == alone_at)
        with self._lock:
            self._kept[batches[0]] = _Kept(batches, standard, case.history, alone_at, step, state)
            self._kept.move_to_end(batches[0])
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return state


def _goes_on(kept: _Kept, batches: tuple[Batch, ...], standard: Standard, alone_at: int | None) -> bool:
    if kept.standard != standard or kept.batches != batches[: len(kept.batches)]:
        return False
    return kept.alone_at == alone_at or (kept.alone_at is None and (alone_at is None or kept.step < alone_at))


def _standard(case: Case) -> Standard:
    from tidegate.judge.rollout_state import Standard

    availability = DEFAULT_AVAILABILITY if case.rule.availability is None else case.rule.availability
    objective = round(1.0 - availability, 9)
    return Standard(case.rule.latency, objective, _latest_edges(case.batches), case.batches[0].begin, case.usual)


def _latest_edges(batches: Sequence[Batch]) -> tuple[float, ...]:
    for batch in reversed(batches):
        for side in (batch.canary, batch.baseline):
            if side and side.edges:
                return side.edges
    return ()


def _batch_seconds(batches: Sequence[Batch]) -> float:
    """Of the first ones, so that it stays what it was."""
    return max(0.1, median((batch.end - batch.begin).total_seconds() for batch in batches[:1]))


@dataclass(frozen=True, slots=True)
class _Unjudged:
    """What is said of metrics: figures that were asked for and lack are no pass, what cannot be judged is in no way."""

    missing: tuple[str, ...] = ()
    not_judged: tuple[str, ...] = ()


def _latency_words(case: Case, standard: Standard, found: list[Shown], *, alone: bool) -> _Unjudged:
    if not case.rule.latency.quantiles:
        return _Unjudged()
    here = [batch for batch in case.batches if batch.step == case.step]
    sides = [("new", [batch.canary for batch in here])]
    if not alone:
        sides.append(("old", [batch.baseline for batch in here]))
    missing = tuple(
        f"no latency of the {word} deployment was counted at this step"
        for word, counters in sides
        if any(one and one.requests for one in counters)
        and not any(one and one.edges == standard.edges and any(one.latency) for one in counters)
    )
    if alone and not any(one.name.startswith("latency") and one.is_asked_now for one in found):
        words = "latency is not judged: no other deployment was measured in this rollout, and not enough days before it"
        return _Unjudged(not_judged=(words,))
    return _Unjudged(missing)


def _why_undecided(found: list[Shown], now: list[Shown], *, suspected: bool) -> list[str]:
    """What may be harm, and what takes longest to be excluded."""
    from tidegate.judge.wording import suspected_sentence, unsure_sentence

    unsure = sorted((one for one in now if not one.safe), key=_seconds_to_go, reverse=True)
    if suspected:
        worst = max((one for one in found if one.serious), key=lambda one: (one.looks_worse, _suspicion(one)))
        return [suspected_sentence(worst)]
    return [unsure_sentence(one, len(unsure) - 1) for one in unsure[:1]]


def _seconds_to_go(shown: Shown) -> float:
    return inf if shown.seconds_to_go is None else shown.seconds_to_go


def _weighted(shown: Shown) -> float:
    return shown.log_evidence + log(shown.weight)


def _suspicion(shown: Shown) -> float:
    return max(shown.log_evidence, shown.log_suspicion) + log(shown.weight)


def _sum_of(logs: list[float]) -> float:
    largest = max(logs, default=-inf)
    return largest + log(sum(exp(one - largest) for one in logs)) if largest > -inf else -inf


def _finding(shown: Shown, evidence: float, blamed: str | None) -> MetricFinding:
    is_well = shown.safe and shown.is_proven
    verdict = Verdict.FAIL if shown.name == blamed else Verdict.PASS if is_well else Verdict.UNDECIDED
    p = min(1.0, exp(-max(min(evidence, 690.0), 0.0)))
    return MetricFinding(shown.name, shown.canary, shown.other, p, shown.unit, verdict)


def _lacking(case: Case) -> str | None:
    """Which side has no data at the step, in words; None where both have."""
    here = [batch for batch in case.batches if batch.step == case.step]
    if not here:
        return "nothing was measured at this step yet"
    if not any(batch.canary and batch.canary.requests for batch in here):
        begun = sum(batch.canary.routed for batch in here if batch.canary)
        sent = f"; {begun:,} were sent to it and have not ended" if begun else ""
        return f"no request ended on the new deployment at this step{sent}"
    if case.expects_baseline and not any(batch.baseline and batch.baseline.requests for batch in here):
        return "no request ended on the old deployment at this step, so there is nothing to compare with"
    return None


def _missing_side(batch: Batch, *, expects_baseline: bool) -> str | None:
    if batch.canary is None:
        return "new"
    if expects_baseline and batch.baseline is None:
        return "old"
    return None
