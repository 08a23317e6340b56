"""What a judge says to people."""

from __future__ import annotations

from datetime import timedelta

from tidegate.judge.metric import Metric
from tidegate.judge.question import PASS_LEVEL, Harm, Safety, Total
from tidegate.model.quantity import format_duration


def harm_sentence(metric: Metric, harm: Harm, p: float, level: float, whole: float) -> str:
    """What the new deployment does worse; `whole` is the length of all that was judged, in seconds."""
    recent = f" in the last {_span(harm.seconds)}" if harm.seconds < whole else ""
    return (
        f"{_figures(metric, harm.canary, harm.other)}{recent} "
        f"({p_value(p)}, level {percent(level)} over the whole rollout)"
    )


def safe_sentence(metric: Metric, safety: Safety) -> str:
    """What the new deployment does, and what is excluded."""
    if metric.latency:
        return f"{metric.name}: {_milliseconds(metric.latency.canary)} against {_milliseconds(metric.latency.other)}"
    return (
        f"{_figures(metric, safety.canary, safety.other)}; "
        f"{percent(safety.limit)} or more is excluded at {percent(1 - PASS_LEVEL)}"
    )


def suspected_sentence(metric: Metric, harm: Harm) -> str:
    """What may be harm and is not certain enough yet."""
    return f"{_figures(metric, harm.canary, harm.other)}: this may be harm, more requests will tell"


def unsure_sentence(metric: Metric, safety: Safety, others: int) -> str:
    """What is not known yet, and how long it would take to know; `others` metrics wait as well, and less long."""
    also = f" ({others} more {'metric waits' if others == 1 else 'metrics wait'} too)" if others else ""
    if not safety.canary.of:
        return f"{metric.name}: still being measured on the old deployment, nothing is compared yet{also}"
    return (
        f"{_figures(metric, safety.canary, safety.other)}; "
        f"{percent(safety.limit)} or more is not excluded yet, {_to_go(safety)}{also}"
    )


def percent(rate: float) -> str:
    """A share in percent, with up to three digits that mean something: `18.2%`, `0.012%`."""
    return f"{float(f'{100 * rate:.3g}'):g}%"


def p_value(p: float) -> str:
    """`p = 2e-31`."""
    return f"p = {p:.1g}" if p >= 1e-99 else "p < 1e-99"


def _figures(metric: Metric, canary: Total, other: Total | float) -> str:
    slow = metric.slower_than
    return (
        f"{metric.name}: {percent(canary.rate)} of {canary.of:,.0f} requests on the new deployment"
        f"{f' took longer than {slow.canary:g} ms,' if slow else ''} against {_other(metric, other)}"
    )


def _other(metric: Metric, other: Total | float) -> str:
    slow = metric.slower_than
    if isinstance(other, Total):
        longer = f" that took longer than {slow.other:g} ms" if slow else ""
        return f"{percent(other.rate)} of {other.of:,.0f} on the old{longer}"
    if slow:
        return f"at most {percent(other)} that took longer than {slow.other:g} ms on the old before"
    return f"{percent(other)} {metric.limit_words}"


def _milliseconds(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.3g} ms"


def _to_go(safety: Safety) -> str:
    if safety.seconds_to_go is None:
        return "and would not be while both go on like this"
    return f"about {_span(safety.seconds_to_go)} more at this traffic"


def _span(seconds: float) -> str:
    return format_duration(timedelta(seconds=max(1, round(seconds))))
