"""What the pages' buttons do: forms, which end in the page that shows what became of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Path
from fastapi.responses import RedirectResponse

from tidegate.model.actor import Actor
from tidegate.model.approval import Answer
from tidegate.security.permission import Permission
from tidegate.web.guard import Parts, Sent
from tidegate.web.parts import PageParts

router = APIRouter(include_in_schema=False)

IdPath = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
ServicePath = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
TextForm = Annotated[str, Form(max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
NameForm = Annotated[str, Form(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
LabelForm = Annotated[str, Form(pattern=r"^[0-9A-Za-z-]{0,64}$")]

_ACTS: dict[str, tuple[Permission, Callable[[PageParts, str, Actor], object]]] = {
    "cancel": (Permission.DEVELOP, lambda parts, run, actor: parts.runs.cancel(run, actor)),
    "retry": (Permission.DEVELOP, lambda parts, run, actor: parts.runs.retry(run, actor)),
    "hold": (Permission.DEVELOP, lambda parts, run, actor: parts.runs.hold(run, actor)),
    "resume": (Permission.DEVELOP, lambda parts, run, actor: parts.runs.resume(run, actor)),
    "promote": (Permission.OPERATE, lambda parts, run, actor: parts.runs.promote(run, actor)),
}
_TRAIN_ACTS: dict[str, Callable[[PageParts, str, Actor, str], object]] = {
    "depart": lambda parts, train, actor, _: parts.trains.depart(train, actor),
    "hold": lambda parts, train, actor, reason: parts.trains.hold(train, actor, reason),
    "resume": lambda parts, train, actor, _: parts.trains.resume(train, actor),
    "cancel": lambda parts, train, actor, _: parts.trains.cancel(train, actor),
}


@router.post("/runs/{run}/answer")
def answer(
    parts: Parts,
    session: Sent,
    run: IdPath,
    word: Annotated[Answer, Form()],
    stage: NameForm,
    comment: TextForm = "",
) -> RedirectResponse:
    """Approve, reject, or take back one's own yes."""
    who = session.identity
    check = partial(parts.authority.check_stage, who, Permission.APPROVE)
    if word is Answer.WITHDRAWN:
        parts.runs.withdraw(run.lower(), who.actor, stage=stage, comment=comment.strip(), check=check)
    else:
        parts.runs.answer(run.lower(), word, who.actor, stage=stage, comment=comment.strip(), check=check)
    return see(parts, f"/runs/{run}")


@router.post("/runs/{run}/break-glass")
def break_glass(parts: Parts, session: Sent, run: IdPath, stage: NameForm, reason: TextForm = "") -> RedirectResponse:
    """Open a gate at once, whatever it says."""
    who = session.identity
    check = partial(parts.authority.check_stage, who, Permission.OPERATE)
    parts.glass.break_glass(run.lower(), reason, who.actor, stage=stage, check=check)
    return see(parts, f"/runs/{run}")


@router.post("/runs/{run}/rollback")
def roll_back_stage(
    parts: Parts, session: Sent, run: IdPath, service: NameForm, environment: NameForm
) -> RedirectResponse:
    """Take a run's deployment back at once."""
    parts.authority.check(session.identity, Permission.OPERATE, service, environment)
    parts.placements.roll_back(service, environment, session.identity.actor)
    return see(parts, f"/runs/{run}")


@router.post("/runs/{run}/{act}")
def act_on_run(
    parts: Parts, session: Sent, run: IdPath, act: Annotated[str, Path(pattern="^(cancel|retry|hold|resume|promote)$")]
) -> RedirectResponse:
    """Cancel, retry, hold, resume, or end the share now."""
    permission, done = _ACTS[act]
    parts.authority.check_run(session.identity, permission, run.lower())
    done(parts, run.lower(), session.identity.actor)
    return see(parts, f"/runs/{run}")


@router.post("/services/{name}/rollback")
def roll_back(
    parts: Parts, session: Sent, name: ServicePath, environment: NameForm, release: LabelForm = ""
) -> RedirectResponse:
    """Return a placement to its last good deployment, or to the named release."""
    parts.authority.check(session.identity, Permission.OPERATE, name, environment)
    parts.placements.roll_back(name, environment, session.identity.actor, release=release or None)
    return see(parts, f"/services/{name}")


@router.post("/services/{name}/stop")
def stop(parts: Parts, session: Sent, name: ServicePath, environment: NameForm) -> RedirectResponse:
    """Let nothing serve in an environment."""
    parts.authority.check(session.identity, Permission.OPERATE, name, environment)
    parts.placements.roll_back(name, environment, session.identity.actor, stop=True)
    return see(parts, f"/services/{name}")


@router.post("/services/{name}/pause")
def pause(parts: Parts, session: Sent, name: ServicePath, reason: TextForm = "") -> RedirectResponse:
    """Let no release pass a gate."""
    parts.authority.check(session.identity, Permission.OPERATE, name)
    parts.services.pause(name, session.identity.actor, reason.strip())
    return see(parts, f"/services/{name}")


@router.post("/services/{name}/resume")
def resume(parts: Parts, session: Sent, name: ServicePath, reason: TextForm = "") -> RedirectResponse:
    """Lift a pause, and a stopped line."""
    parts.authority.check(session.identity, Permission.OPERATE, name)
    parts.services.resume(name, session.identity.actor, reason.strip())
    return see(parts, f"/services/{name}")


@router.post("/trains/{name}/{act}")
def act_on_train(
    parts: Parts,
    session: Sent,
    name: ServicePath,
    act: Annotated[str, Path(pattern="^(depart|hold|resume|cancel)$")],
    reason: TextForm = "",
) -> RedirectResponse:
    """Let a train leave, wait, leave again, or stop and come back."""
    parts.authority.check_train(session.identity, Permission.OPERATE, name)
    _TRAIN_ACTS[act](parts, name, session.identity.actor, reason.strip())
    return see(parts, "/trains")


@router.post("/incidents/{incident}/close")
def close_incident(parts: Parts, session: Sent, incident: IdPath, reason: TextForm = "") -> RedirectResponse:
    """Say that an incident is over."""
    with parts.engine.parts.database.reading() as connection:
        found = parts.incidents.find(connection, incident)
    place = (found.service, found.environment) if found else (None, None)
    parts.authority.check(session.identity, Permission.OPERATE, *place)
    parts.incidents.close(incident, reason[:500], session.identity.actor)
    return see(parts, f"/incidents/{incident}")


def see(parts: PageParts, url: str) -> RedirectResponse:
    """To the page that shows what became of it."""
    parts.events.wake()
    return RedirectResponse(url, 303)
