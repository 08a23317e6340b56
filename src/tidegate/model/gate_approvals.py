"""Approvals: whose word counts at a gate, and whether enough people have said yes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from tidegate.model.approval import Answer, Approval
from tidegate.model.change import Author
from tidegate.model.gate import GateState, RuleVerdict
from tidegate.model.gate_question import GateQuestion
from tidegate.model.gate_rules import THE_FILE, ApprovalGroup, ApprovalRule
from tidegate.model.known_people import KnownPeople
from tidegate.model.reason import Reason

RULE = "approvals"
MOST_UNKNOWN = 3
"""More authors than these whom nobody has verified are not reasoned about: they must be made known first."""


@dataclass(frozen=True, slots=True)
class Voters:
    """Whom the words at a gate are weighed against: who is known, who made the changes, who asked for the run."""

    people: KnownPeople = KnownPeople()
    authors: tuple[Author, ...] = ()
    triggered_by: str | None = None


def latest_words(approvals: Iterable[Approval]) -> tuple[Approval, ...]:
    """The last word of each person, in the order in which they were given."""
    latest: dict[str, Approval] = {}
    for approval in sorted(approvals, key=lambda one: one.at):
        latest.pop(approval.actor.name, None)
        latest[approval.actor.name] = approval
    return tuple(latest.values())


def valid_approvals(
    approvals: Iterable[Approval], rule: ApprovalRule, now: datetime, voters: Voters = Voters()
) -> tuple[Approval, ...]:
    """One yes a person that counts now: it has not expired, and the rule lets this person's word count."""
    authors, _ = voters.people.accounts_of(voters.authors)
    return tuple(
        one
        for one in latest_words(approvals)
        if one.answer is Answer.APPROVED and _why_not(one, rule, now, voters, authors) is None
    )


def not_counted(one: Approval, rules: Sequence[ApprovalRule], now: datetime, voters: Voters) -> str | None:
    """Why a yes counts for none of the rules that ask people, in words that follow the person's name; None where it
    counts for one, and where nobody is asked."""
    authors, _ = voters.people.accounts_of(voters.authors)
    against = [_why_not(one, rule, now, voters, authors) for rule in rules]
    return against[0] if against and all(against) else None


def is_enough(given: Sequence[Approval], rule: ApprovalRule, voters: Voters = Voters()) -> bool:
    """Whether these words are enough for the rule.

    An author whom nobody has verified may be any of those who said yes: the others must be enough without each.
    """
    _, unknown = voters.people.accounts_of(voters.authors) if rule.not_author else (None, ())
    if len(unknown) > MOST_UNKNOWN:
        return rule.people == 0
    spared = min(len(unknown), len(given))
    return all(
        _fills([one for one in given if one not in without], rule, voters.people)
        for without in combinations(given, spared)
    )


def approvals(question: GateQuestion, now: datetime) -> RuleVerdict:
    """What all rules that ask people say together."""
    if not question.approval_rules:
        return RuleVerdict(GateState.OPEN, question.mode.because)
    voters = voters_of(question)
    verdicts = [_one_rule(question, source, rule, now, voters) for source, rule in question.approval_rules]
    state = max((one.state for one in verdicts), key=lambda state: state.strictness)
    speaking = [one for one in verdicts if one.state is state]
    remedies = [one.reason.remedy for one in speaking if one.reason.remedy]
    text = "; ".join(dict.fromkeys(part for one in speaking for part in one.reason.text.split("; ")))
    if state is not GateState.OPEN and any(source == THE_FILE for source, _ in question.approval_rules):
        text = f"{text}; {question.mode.because.text}"
    again = min((one.look_again_at for one in verdicts if one.look_again_at), default=None)
    return RuleVerdict(state, Reason(RULE, text, next(iter(remedies), None)), again)


def approved_by(question: GateQuestion, now: datetime) -> tuple[str, ...]:
    """The people whose words opened it."""
    voters = voters_of(question)
    counted = (
        one.actor.name
        for _, rule in question.approval_rules
        for one in valid_approvals(question.approvals, rule, now, voters)
    )
    return tuple(dict.fromkeys(counted))


def voters_of(question: GateQuestion) -> Voters:
    """Whom the words at this gate are weighed against."""
    return Voters(question.people, question.authors, question.triggered_by)


def _one_rule(question: GateQuestion, source: str, rule: ApprovalRule, now: datetime, voters: Voters) -> RuleVerdict:
    given = valid_approvals(question.approvals, rule, now, voters)
    expires = min((one.at + rule.expires for one in given), default=None) if rule.expires else None
    names = ", ".join(one.actor.name for one in given)
    asked_by = "" if source == THE_FILE else f" for {source}"
    if is_enough(given, rule, voters):
        text = f"{len(given)} of {rule.people} approvals{asked_by}: {names}"
        return RuleVerdict(GateState.OPEN, Reason(RULE, text), expires)
    so_far = f" ({names})" if names else ""
    text = f"{len(given)} of {rule.people} approvals{asked_by}{so_far}"
    notes = [*_missing(given, rule, voters), *_not_counted(question, rule, now, given, voters)]
    text = "; ".join([text, *notes])
    return RuleVerdict(GateState.WAITING, Reason(RULE, text, _remedy(question, rule, given, voters)), expires)


def _remedy(question: GateQuestion, rule: ApprovalRule, given: Sequence[Approval], voters: Voters) -> str:
    """Where only unknown authors keep it shut, to say who they are; else one more yes."""
    if rule.not_author:
        _, unknown = voters.people.accounts_of(voters.authors)
        if len(unknown) > MOST_UNKNOWN or (unknown and _fills(given, rule, voters.people)):
            return f"tidegate user address NAME {unknown[0].email}"
    return f"tidegate approve {question.run}"


def _why_not(one: Approval, rule: ApprovalRule, now: datetime, voters: Voters, authors: Collection[str]) -> str | None:
    """Why a yes does not count, in words that follow the person's name; its age last, which another yes mends."""
    name = one.actor.name
    if name in voters.people.disabled:
        return "has no access any more"
    if rule.not_author and name in authors:
        return "made one of the changes"
    if rule.not_trigger and name == voters.triggered_by:
        return "asked for the run"
    if rule.comment and not one.comment.strip():
        return "gave no comment"
    if not any(_is_in(one, group, rule, voters.people) for group in rule.groups):
        return "is in none of the groups that are asked"
    if rule.expires is not None and not one.at <= now < one.at + rule.expires:
        return "said yes too long ago"
    return None


def _not_counted(
    question: GateQuestion, rule: ApprovalRule, now: datetime, given: Collection[Approval], voters: Voters
) -> Iterable[str]:
    authors, _ = voters.people.accounts_of(voters.authors)
    for one in latest_words(question.approvals):
        if one.answer is Answer.APPROVED and one not in given:
            why = _why_not(one, rule, now, voters, authors)
            if why:
                yield f"{one.actor.name} {why}"


def _missing(given: Sequence[Approval], rule: ApprovalRule, voters: Voters) -> Iterable[str]:
    """What the groups lack, and which of them nobody can fill."""
    for group in rule.groups:
        gone = voters.people.unknown_sources(group.sources)
        if gone:
            yield f"there is no team or account {', '.join(gone)} any more"
        elif group.sources:
            have = sum(_is_in(one, group, rule, voters.people) for one in given)
            yield f"{min(have, group.count)} of {group.count} from {' or '.join(group.sources)}"
    if rule.not_author:
        _, unknown = voters.people.accounts_of(voters.authors)
        if unknown:
            who = ", ".join(author.email for author in unknown)
            yield f"nobody has verified who {who} is, {_until_known(len(unknown))}"


def _until_known(unknown: int) -> str:
    """What is asked for authors whom nobody has verified, in words that follow their addresses."""
    if unknown > MOST_UNKNOWN:
        return "and of so many any may be those who approve: an operator says who they are"
    if unknown == 1:
        return "who may be one of those who approve: so one more yes is needed, or an operator says who it is"
    return f"who may be among those who approve: so {unknown} more are needed, or an operator says who they are"


def _is_in(one: Approval, group: ApprovalGroup, rule: ApprovalRule, people: KnownPeople) -> bool:
    """Whether a person may fill a place of the group, by themselves or in the place of another."""
    if not group.sources:
        return True
    names = (one.actor.name, *(one.stands_for if rule.delegates else ()))
    return any(people.is_among(name, group.sources) for name in names if name not in people.disabled)


def _fills(given: Sequence[Approval], rule: ApprovalRule, people: KnownPeople) -> bool:
    """Whether every place of every group can be filled, each by a person of its own (augmenting paths: Kuhn 1955)."""
    places = [group for group in rule.groups for _ in range(group.count)]
    if len(places) > len(given):
        return False
    filled: dict[int, int] = {}

    def seat(place: int, tried: set[int]) -> bool:
        for index, one in enumerate(given):
            if index not in tried and _is_in(one, places[place], rule, people):
                tried.add(index)
                if index not in filled or seat(filled[index], tried):
                    filled[index] = place
                    return True
        return False

    return all(seat(place, set()) for place in range(len(places)))
