"""The judge that compares a new deployment with the one that runs beside it, and may be asked as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from tidegate.judge.judge import Case
from tidegate.model.figures import Batch
from tidegate.model.verdict import Judgement, MetricFinding, Verdict

if TYPE_CHECKING:
    from tidegate.judge.metric import Metric
    from tidegate.judge.question import Harm, Safety

FALSE_ALARM_LEVEL = 0.01
"""Over all metrics and all looks of one rollout."""


@dataclass(frozen=True, slots=True)
class _Weighed:
    metric: Metric
    harm: Harm
    safety: Safety
    p: float

    @property
    def passes(self) -> bool:
        return self.safety.excluded and not self.harm.suspected


@dataclass(frozen=True, slots=True)
class ComparisonJudge:
    """A Judge for error rate and latency; `level` bounds the probability of failing a harmless deployment.

    It fails a deployment on evidence of harm from the whole rollout, and passes a step once that step's batches
    exclude harm above a margin. `evidence` and `metric` say how.
    """

    level: float = FALSE_ALARM_LEVEL

    def judge(self, case: Case) -> Judgement:
        """The verdict after the last batch. A side without data at this step is NO_DATA, whatever came before."""
        lacking = _lacking(case)
        if lacking:
            return Judgement(Verdict.NO_DATA, lacking, level=self.level)
        # numpy is loaded here, so that a server that judges nothing stays small
        from tidegate.judge.metric import Scope, metrics_of
        from tidegate.judge.table import tabulate

        table = tabulate(case.batches)
        scope = Scope.of(table, case.step, expects_baseline=case.expects_baseline)
        asked = metrics_of(table, scope, case.rule.latency, case.rule.availability, self.level)
        weighed = tuple(self._weigh(metric) for metric in asked.metrics)
        failed = [one for one in weighed if one.harm.fails]
        if failed:
            return self._fail(weighed, min(failed, key=lambda one: one.p), float(table.seconds.sum()))
        if asked.without_figures:
            return self._say(Verdict.NO_DATA, weighed, list(asked.without_figures))
        return self._pass_or_wait(case, weighed, asked.not_judged)

    def _weigh(self, metric: Metric) -> _Weighed:
        from tidegate.judge.question import weigh_harm, weigh_safety

        harm = weigh_harm(metric.question)
        corrected = min(1.0, harm.p * self.level / metric.question.level)
        return _Weighed(metric, harm, weigh_safety(metric.question), corrected)

    def _fail(self, weighed: tuple[_Weighed, ...], worst: _Weighed, seconds: float) -> Judgement:
        from tidegate.judge.wording import harm_sentence

        reason = harm_sentence(worst.metric, worst.harm, worst.p, self.level, seconds)
        return self._say(Verdict.FAIL, weighed, [reason], blamed=worst.metric.name)

    def _pass_or_wait(self, case: Case, weighed: tuple[_Weighed, ...], not_judged: tuple[str, ...]) -> Judgement:
        from tidegate.judge.wording import safe_sentence

        now = [one for one in weighed if one.metric.is_asked_now]
        if not all(one.passes for one in now):
            return self._say(Verdict.UNDECIDED, weighed, [*_why_undecided(now), *not_judged])
        missing = _missing_side(case.batches[-1], expects_baseline=case.expects_baseline)
        if missing or case.batches[-1].step != case.step:
            words = f"the latest figures of the {missing or 'new'} deployment are missing; a step passes on fresh ones"
            return self._say(Verdict.UNDECIDED, weighed, [words])
        safe = [safe_sentence(one.metric, one.safety) for one in now]
        return self._say(Verdict.PASS, weighed, [*safe, *not_judged])

    def _say(
        self, verdict: Verdict, weighed: tuple[_Weighed, ...], sentences: list[str], blamed: str | None = None
    ) -> Judgement:
        return Judgement(
            verdict=verdict,
            reason=". ".join(sentences),
            blamed=blamed,
            metrics=tuple(_finding(one) for one in weighed if one.metric.is_asked_now or one.harm.canary.of),
            level=self.level,
        )


def _why_undecided(now: list[_Weighed]) -> list[str]:
    """What may be harm, and what takes longest to be excluded."""
    from tidegate.judge.wording import suspected_sentence, unsure_sentence

    suspected = [one for one in now if one.harm.suspected]
    unsure = [one for one in now if not one.passes and not one.harm.suspected]
    unsure.sort(key=lambda one: _seconds_to_go(one.safety), reverse=True)
    return [
        *(suspected_sentence(one.metric, one.harm) for one in suspected),
        *(unsure_sentence(one.metric, one.safety, len(unsure) - 1) for one in unsure[:1]),
    ]


def _seconds_to_go(safety: Safety) -> float:
    return inf if safety.seconds_to_go is None else safety.seconds_to_go


def _finding(one: _Weighed) -> MetricFinding:
    verdict = Verdict.FAIL if one.harm.fails else Verdict.PASS if one.passes else Verdict.UNDECIDED
    latency = one.metric.latency
    if latency:
        return MetricFinding(one.metric.name, latency.canary, latency.other, one.p, "ms", verdict)
    shown = one.harm if one.harm.fails or not one.metric.is_asked_now else one.safety
    other = shown.other if isinstance(shown.other, float) else shown.other.rate
    return MetricFinding(one.metric.name, shown.canary.rate * 100, other * 100, one.p, "%", verdict)


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
