"""What people are told of an event: whether it is worth telling, in which words, and what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from tidegate.model.channel import Topic
from tidegate.model.drill import DrillState
from tidegate.model.event import Event, EventKind, RecordedEvent
from tidegate.model.external import QuestionState
from tidegate.model.gate import GateState
from tidegate.model.gate_approvals import RULE as APPROVALS
from tidegate.model.run import RunStatus
from tidegate.model.train import TrainState

TOLD_AT_LENGTH_FOR = timedelta(days=1)
"""What could not be told for longer than that is summed up in one message."""

LATE = timedelta(minutes=2)
"""A message that comes later than that says when it happened."""

LONGEST_TEXT = 1500
"""Characters: some services take no more than 2000 in all."""

GATE_KINDS = (EventKind.GATE_DECIDED, EventKind.RUN_RETRIED)
"""What `asks_anew` looks at of a run's earlier events."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What is sent. `link` is the page to look at."""

    topic: Topic
    title: str
    text: str
    link: str

    @property
    def body(self) -> str:
        """The text, with the link below it."""
        return f"{self.text}\n{self.link}"


_TOPICS: Mapping[EventKind, Topic] = {
    EventKind.GLASS_BROKEN: Topic.BREAK_GLASS,
    EventKind.ROLLBACK_DECIDED: Topic.ROLLBACK,
    EventKind.ROLLBACK_HELD: Topic.ROLLBACK,
    EventKind.ROLLOUT_FELL_BACK: Topic.ROLLBACK,
    EventKind.PLACEMENT_STUCK: Topic.STUCK,
    EventKind.LINE_STOPPED: Topic.LINE_STOPPED,
    EventKind.FREEZE_SET: Topic.FREEZE,
    EventKind.FREEZE_BEGAN: Topic.FREEZE,
    EventKind.FREEZE_ENDED: Topic.FREEZE,
    EventKind.FREEZE_LIFTED: Topic.FREEZE,
    EventKind.TRAIN_DEPARTED: Topic.TRAIN,
    EventKind.TRAIN_STOPPED: Topic.TRAIN_STOPPED,
    EventKind.GATE_UNANSWERED: Topic.QUESTION,
    EventKind.ERROR_BUDGET_BURNS: Topic.ERROR_BUDGET,
    EventKind.ERROR_BUDGET_CALM: Topic.ERROR_BUDGET,
    EventKind.SERVICE_DEMOTED: Topic.ERROR_BUDGET,
    EventKind.INCIDENT_OPENED: Topic.INCIDENT,
    EventKind.INCIDENT_CLOSED: Topic.INCIDENT,
}

_WORDS: Mapping[Topic, str] = {
    Topic.APPROVAL: "an approval is asked for",
    Topic.BREAK_GLASS: "the glass was broken",
    Topic.ROLLBACK: "rolled back",
    Topic.HOLD: "a rollout holds",
    Topic.STUCK: "stuck",
    Topic.LINE_STOPPED: "the line is stopped",
    Topic.RUN_FAILED: "a run failed",
    Topic.RUN_SUCCEEDED: "a run succeeded",
    Topic.TROUBLE: "the repository cannot be read",
    Topic.FREEZE: "a freeze",
    Topic.TRAIN: "a train left or arrived",
    Topic.TRAIN_STOPPED: "a train stopped and comes back",
    Topic.QUESTION: "no yes from outside",
    Topic.ERROR_BUDGET: "the error budget burns",
    Topic.INCIDENT: "an incident began or ended",
    Topic.DRILL: "a drill went wrong",
    Topic.REHEARSAL: "a rehearsal went wrong",
}

_HEADLINES: Mapping[EventKind, str] = {
    EventKind.TRAIN_DEPARTED: "it left",
    EventKind.TRAIN_ENDED: "it arrived",
    EventKind.TRAIN_STOPPED: "it stops and comes back",
    EventKind.FREEZE_SET: "frozen",
    EventKind.FREEZE_BEGAN: "frozen",
    EventKind.FREEZE_LIFTED: "no longer frozen",
    EventKind.FREEZE_ENDED: "no longer frozen",
    EventKind.SERVICE_DEMOTED: "people open the gates again",
    EventKind.ERROR_BUDGET_CALM: "the error budget burns no longer",
    EventKind.INCIDENT_OPENED: "an incident began",
    EventKind.INCIDENT_CLOSED: "the incident is over",
    EventKind.ROLLBACK_HELD: "it cannot go back",
    EventKind.ROLLOUT_FELL_BACK: "its traffic went back by itself",
    EventKind.GATE_UNANSWERED: "a question was not answered in time",
    EventKind.GATE_ANSWERED: "the answer from outside is no",
}
"""What says more than the topic's own words."""

_PLANNED: Mapping[EventKind, str] = {
    EventKind.FREEZE_SET: "a freeze is planned",
    EventKind.FREEZE_LIFTED: "a planned freeze is taken back",
}


def topic_of(event: Event) -> Topic | None:
    """What the event is about; None where it is nothing to tell. Of a gate see `asks_anew` too."""
    match event.kind:
        case EventKind.GATE_DECIDED:
            return Topic.APPROVAL if _asks(event) else None
        case EventKind.ROLLOUT_HOLDS:
            return Topic.APPROVAL if event.data.get("approvals") else Topic.HOLD
        case EventKind.SERVICE_TROUBLE:
            return Topic.TROUBLE if event.data.get("lasts", True) else None
        case EventKind.RUN_ENDED:
            ended = {RunStatus.FAILED.value: Topic.RUN_FAILED}
            if not event.data.get("after_rollback"):  # with that no release arrived
                ended[RunStatus.SUCCEEDED.value] = Topic.RUN_SUCCEEDED
            return ended.get(str(event.data.get("status")))
        case EventKind.TRAIN_ENDED:
            return Topic.TRAIN if event.data.get("state") == TrainState.ARRIVED.value else None
        case EventKind.ROLLBACK_DECIDED if event.data.get("drill"):
            return None
        case EventKind.DRILL_ENDED:
            return Topic.DRILL if event.data.get("state") == DrillState.FAILED.value else None
        case EventKind.REHEARSED:
            return Topic.REHEARSAL if event.data.get("went_well") is False else None
        case EventKind.REHEARSAL_ENDED:
            return Topic.REHEARSAL if event.data.get("failed") else None
        case EventKind.GATE_ANSWERED:
            return Topic.QUESTION if event.data.get("answer") == QuestionState.REJECTED.value else None
    return _TOPICS.get(event.kind)


def is_told_otherwise(event: Event, topics: Collection[Topic]) -> bool:
    """Whether whoever is told of these topics hears of it by another event: of an incident by its rollback."""
    return bool(event.data.get("rollback")) and event.kind is EventKind.INCIDENT_OPENED and Topic.ROLLBACK in topics


def services_of(event: Event) -> Collection[str] | None:
    """The services that an event concerns; None where these are all, as with a freeze of a whole environment."""
    if "service" in event.about:
        return (event.about["service"],)
    if topic_of(event) is Topic.FREEZE:
        return None
    return _words(event.data.get("services")) or ("",)


def asks_anew(event: Event, earlier: Iterable[Event]) -> bool:
    """Whether a gate asks for approvals that did not ask for them just before.

    A gate is looked at again and again, and says something new each time that one of its rules does. People are asked
    once; again only after they had been enough (and one was withdrawn or expired), or the run was tried again.
    `earlier` are the events of the same run before it, of GATE_KINDS, oldest first.
    """
    asked = False
    for one in earlier:
        if one.kind is EventKind.RUN_RETRIED:
            asked = False
        elif one.about.get("stage") == event.about.get("stage"):
            asked = _asks(one)
    return _asks(event) and not asked


def notification_of(recorded: RecordedEvent, topic: Topic, address: str, now: datetime) -> Notification:
    """What is told of an event; `address` is where browsers find the server."""
    event = recorded.event
    where = f" ({event.about['environment']})" if "environment" in event.about else ""
    said = f"{_late(recorded.at, now)}{_text(event, topic)}"
    text = said if len(said) <= LONGEST_TEXT else f"{said[:LONGEST_TEXT]}…"
    title = f"{_subject(event, topic)}{where}: {_headline(event, topic)}"
    return Notification(topic, title, f"{text}\n{_next(event, topic)}", _link(event, topic, address))


def summary_of(counts: Mapping[Topic, int], first: datetime, last: datetime, address: str) -> Notification:
    """What is told instead of messages that nobody took for too long: how many of each, and between when."""
    told = ", ".join(f"{counts[topic]}× {_WORDS[topic]}" for topic in Topic if counts.get(topic))
    between = f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    total = sum(counts.values())
    return Notification(
        topic=max(counts, key=lambda one: counts[one]),
        title=f"{total} messages were not sent",
        text=f"They could not be sent, and are too old now, {between}: {told}.\nSee how things are: tidegate status",
        link=address,
    )


def trial_of(channel: str, who: str, address: str) -> Notification:
    """What is sent to try a channel."""
    text = f"{who} tries whether messages arrive here. There is nothing to do."
    return Notification(Topic.RUN_SUCCEEDED, f"Tidegate: a test of {channel}", text, address)


def _subject(event: Event, topic: Topic) -> str:
    """What the message is about."""
    match topic:
        case Topic.TRAIN | Topic.TRAIN_STOPPED:
            return f"train {event.about.get('train', '')}"
        case Topic.FREEZE:
            return event.about.get("service", "all services")
    return event.about.get("service", "")


def _headline(event: Event, topic: Topic) -> str:
    if bool(event.data.get("planned")) and event.kind in _PLANNED:
        return _PLANNED[event.kind]
    return _HEADLINES.get(event.kind, _WORDS[topic])


def _asks(event: Event) -> bool:
    waits = event.data.get("state") == GateState.WAITING.value
    return waits and APPROVALS in _words(event.data.get("blocking"))


def _text(event: Event, topic: Topic) -> str:
    service, place = event.about.get("service", ""), event.about.get("environment", "")
    match topic:
        case Topic.APPROVAL if event.kind is EventKind.ROLLOUT_HOLDS:
            asked = event.data["approvals"]
            return f"{service} asks for {asked} approval{'' if asked == 1 else 's'} in {place} before its next share."
        case Topic.APPROVAL:
            label = event.about.get("commit", "")[:8]
            return f"{service} {label} asks for approval to {event.about.get('stage', place)}: {_blocking(event)}."
        case Topic.ROLLBACK if event.kind is EventKind.ROLLBACK_DECIDED:
            return f"{service} in {place} goes {event.text}."
        case Topic.STUCK:
            return f"{service} in {place} is {event.text}."
        case Topic.HOLD:
            return f"{service} in {place} {event.text}."
        case Topic.ERROR_BUDGET | Topic.ROLLBACK:
            return f"{service} in {place}: {event.text}."
        case Topic.FREEZE | Topic.TRAIN | Topic.TRAIN_STOPPED:
            return f"{event.text[:1].upper()}{event.text[1:]}."
    return f"{service}: {event.text}."


def _blocking(event: Event) -> str:
    """What the rules that keep the gate shut say; the one about approvals first."""
    blocking, because = _words(event.data.get("blocking")), _words(event.data.get("because"))
    rules = sorted(blocking, key=lambda rule: rule != APPROVALS)
    said = (one.removeprefix(f"{rule}: ") for rule in rules for one in because if one.startswith(f"{rule}: "))
    return "; ".join(dict.fromkeys(said))


def _next(event: Event, topic: Topic) -> str:
    """The command that goes on from here."""
    service, run = event.about.get("service", ""), event.about.get("run", "")
    match topic:
        case Topic.APPROVAL:
            return f"Look at what it brings, and say yes or no: tidegate approve {run}, or tidegate reject {run}"
        case Topic.BREAK_GLASS:
            glass = event.about.get("break_glass", "")
            return f"A review by somebody else is owed: tidegate review {glass} --comment TEXT"
        case Topic.RUN_FAILED:
            return f"Look why: tidegate logs {run}; try again: tidegate retry {run}"
        case Topic.LINE_STOPPED:
            return f"Nothing of it goes on until a person says so: tidegate service resume {service}"
        case Topic.TROUBLE:
            return f"Nothing new of it is seen until then: tidegate service show {service}"
        case Topic.FREEZE if event.kind in (EventKind.FREEZE_ENDED, EventKind.FREEZE_LIFTED):
            return "What waits there goes on by itself: tidegate status"
        case Topic.FREEZE:
            return "Nothing new enters while it lasts; see all: tidegate freezes"
        case Topic.TRAIN | Topic.TRAIN_STOPPED:
            return f"Look: tidegate train show {event.about.get('train', '')}"
        case Topic.QUESTION if event.kind is EventKind.GATE_UNANSWERED:
            return f"The gate stays shut; ask again: tidegate gate ask {run}"
        case Topic.QUESTION:
            return f"Its run ends; to ask anew: tidegate retry {run}"
        case Topic.INCIDENT:
            return f"Look: tidegate incident show {event.about.get('incident', '')}"
        case Topic.HOLD:
            return f"A person decides: tidegate promote {run}, or tidegate cancel {run}"
    page = "rehearsals" if topic is Topic.REHEARSAL else "status"
    return f"Look: tidegate watch {run}" if run else f"Look: tidegate {page} {service}"


def _link(event: Event, topic: Topic, address: str) -> str:
    """The page of the train, of the freeze, of the incident, of the run, else of the service."""
    if topic in (Topic.TRAIN, Topic.TRAIN_STOPPED) and "train" in event.about:
        return f"{address}/trains#train-{quote(event.about['train'], safe='')}"
    if topic is Topic.FREEZE:
        page = f"/services/{quote(event.about['service'], safe='')}" if "service" in event.about else "/"
        return f"{address}{page}#freezes"
    if topic is Topic.INCIDENT:
        return f"{address}/incidents/{quote(event.about.get('incident', ''), safe='')}"
    if "run" in event.about:
        return f"{address}/runs/{quote(event.about['run'], safe='')}"
    return f"{address}/services/{quote(event.about['service'], safe='')}" if "service" in event.about else address


def _late(at: datetime, now: datetime) -> str:
    return f"At {at:%H:%M} UTC: " if now - at > LATE else ""


def _words(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []
