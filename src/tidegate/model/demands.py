"""What the server demands of a service, in words: so that its team knows before a gate says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tidegate.model.floor import Floor
from tidegate.model.gate_rules import ApprovalGroup, ApprovalRule, GateRules


def demands_of(floors: Iterable[Floor]) -> tuple[str, ...]:
    """One line for each floor that demands something, with its name."""
    lines = ((floor.name, "; ".join(_of_floor(floor))) for floor in floors)
    return tuple(f"{name}: {words}" for name, words in lines if words)


def _of_floor(floor: Floor) -> Iterator[str]:
    if not floor.deployment:
        yield "a person opens the gate, whatever is granted"
    if floor.must_have_passed:
        yield f"only artifacts that passed in {', '.join(floor.must_have_passed)}"
    yield from _of_rules(floor.gate)


def _of_rules(rules: GateRules) -> Iterator[str]:
    if rules.approvals:
        yield _of_approvals(rules.approvals)
    if rules.windows:
        yield f"window {' or '.join(str(one) for one in rules.windows)}"
    if rules.schedule:
        yield f"schedule {rules.schedule}"
    if rules.external:
        yield f"a yes from {rules.external.url}"
    for policy in rules.policies:
        yield f"policy {policy.expression}"
    for required in rules.requires:
        yield f"{required.service} {required.specifier}"


def _of_approvals(rule: ApprovalRule) -> str:
    asked = " and ".join(_of_group(group) for group in rule.groups)
    limits = (
        (rule.not_author, "not by an author"),
        (rule.not_trigger, "not by who asked for the run"),
        (rule.comment, "with words"),
        (not rule.delegates, "not in another's place"),
    )
    return ", ".join([asked, *(words for holds, words in limits if holds)])


def _of_group(group: ApprovalGroup) -> str:
    people = "1 approval" if group.count == 1 else f"{group.count} approvals"
    return f"{people} from {' or '.join(group.sources)}" if group.sources else people
