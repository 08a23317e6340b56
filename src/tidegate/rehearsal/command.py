"""`tidegate rehearse SERVICE`: the service's pipeline with faults put in, on a server of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from tidegate.cli.data_folder import resolve_data_folder
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.session import Session
from tidegate.config import server_yaml
from tidegate.config.problem import ConfigError
from tidegate.demo.server_process import DemoFailed
from tidegate.model.environment import ServerConfiguration
from tidegate.model.pipeline import Pipeline
from tidegate.model.quantity import parse_rate
from tidegate.model.rehearsal import End, Fault, FaultOutcome
from tidegate.model.rehearsal_time import of_one_release
from tidegate.rehearsal.play import Plan, Rehearser
from tidegate.rehearsal.proxy import PROXY_FILE, proxy_in
from tidegate.rehearsal.repository import NoRepository, RehearsedRepository
from tidegate.rehearsal.server import RehearsalFailed, RehearsalServer
from tidegate.security.isolation import make_passable, make_private

LEAST_PER_SECOND = 0.05
MOST_PER_SECOND = 200.0
"""What one process sends beside all that a rehearsal runs; users beyond that are not played."""

LEAST_BATCH_SECONDS = 1.0

_DATA, _REPOSITORIES = "data", "repositories"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be rehearsed, as it was typed. `quick` shortens times and raises rates by so much."""

    service: str
    faults: tuple[Fault, ...]
    quick: float
    traffic: str | None
    paths: tuple[str, ...]
    secrets: Path | None
    folder: Path | None
    keep: bool
    data: Path | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the server that was asked knows of the service."""

    repository: str
    path: str
    commit: str
    per_second: float
    said_of_traffic: str


def rehearse(session: Session, wish: Wish) -> int:
    """Play it and record it on the asked server; the exit code: 0 when every fault was found and ended well, else 1.

    Raises CommandFailed.
    """
    _end_on_signals()
    _keep_token_here()
    folder = _folder(wish)
    began = datetime.now(UTC)
    done = False
    try:
        asked = _ask(session, wish)
        # what is in it may be secret; steps get what they need of it from their agent
        clone = make_private(folder / _REPOSITORIES) / wish.service
        proxy = proxy_in(folder, folder / _DATA)
        repository = RehearsedRepository.of(asked.repository, asked.commit, clone, asked.path, proxy)
        plan = _plan(wish, asked, repository)
        _say_plan(session, wish, asked, plan)
        outcomes = _play(session, wish, plan, repository, folder / _DATA)
        done = True
    except (NoRepository, RehearsalFailed, DemoFailed, ConfigError) as error:
        words = "; ".join(map(str, error.problems)) if isinstance(error, ConfigError) else str(error)
        raise CommandFailed(
            ExitCode.FAILED, f"the rehearsal of {wish.service} cannot be played: {words}", f"what it did is in {folder}"
        ) from error
    finally:
        if done and not wish.keep:
            _remove(folder)
    return _end(session, wish, asked, plan, outcomes, began)


def _folder(wish: Wish) -> Path:
    """Where it is played. Raises CommandFailed."""
    if wish.folder is None:
        # passable: steps and instances run as a user of their own where the command runs as root
        return make_passable(Path(tempfile.mkdtemp(prefix="tidegate-rehearsal-")))
    folder = wish.folder.expanduser().resolve()
    if any((folder / name).exists() for name in (_DATA, _REPOSITORIES)):
        raise CommandFailed(
            ExitCode.USAGE, f"in {folder} is a rehearsal already", "name another with --folder, or remove that one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _remove(folder: Path) -> None:
    """Remove what was made; in a folder that somebody named may be more."""
    for name in (_DATA, _REPOSITORIES):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / PROXY_FILE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _keep_token_here() -> None:
    """The token is for the server that is asked; what the rehearsal starts has one of its own."""
    os.environ.pop("TIDEGATE_TOKEN", None)


def _ask(session: Session, wish: Wish) -> Asked:
    service = session.client.get("services", wish.service)
    status = session.client.items("status", service=wish.service)
    places = [str(one["name"]) for one in session.client.items("environments")]
    commit = serving_last(status[0]["environments"], places) if status else None
    if commit is None:
        raise CommandFailed(
            ExitCode.FAILED,
            f"nothing of {wish.service} serves that could be rehearsed",
            f"tidegate runs {wish.service}",
        )
    per_second, said = _traffic(session, wish)
    return Asked(_source(service, wish), str(service["path"]), commit, per_second, said)


def serving_last(there: Mapping[str, dict[str, Any]], in_order: Sequence[str]) -> str | None:
    """The commit that serves in the last of the server's environments that has any of the service."""
    serving = [str(there[name]["commit"]) for name in in_order if name in there and there[name]["commit"]]
    return serving[-1] if serving else None


def _source(service: dict[str, Any], wish: Wish) -> str:
    """The mirror where the server is on this machine: it is read without credentials. Else the repository itself."""
    mirror = resolve_data_folder(wish.data) / "git" / f"{wish.service}.git"
    with contextlib.suppress(OSError):
        if mirror.is_dir():
            return str(mirror)
    return str(service["repository"])


def _traffic(session: Session, wish: Wish) -> tuple[float, str]:
    """How many requests a second users send, and where that is known from."""
    if wish.traffic is not None:
        try:
            return parse_rate(wish.traffic), "as asked"
        except ValueError as error:
            raise CommandFailed(
                ExitCode.USAGE, str(error), f"tidegate rehearse {wish.service} --traffic 20/m"
            ) from error
    seen = session.client.items("services", wish.service, "traffic")
    most = max((one["per_minute"] for one in seen), default=0.0) / 60
    if most < LEAST_PER_SECOND:
        raise CommandFailed(
            ExitCode.USAGE,
            f"the traffic log has hardly any requests to {wish.service} in the last week",
            f"say how many users send: tidegate rehearse {wish.service} --traffic 5/s",
        )
    return most, "as the traffic log has it for the last week"


def _plan(wish: Wish, asked: Asked, repository: RehearsedRepository) -> Plan:
    own, pipeline = repository.own_file, repository.pipeline
    deploying = [one for one in pipeline.stages if one.deploy]
    if pipeline.runtime is None or not deploying:
        raise RehearsalFailed("its pipeline deploys nothing")
    if missing := sorted(set(pipeline.runtime.secrets) - set(_secrets(wish))):
        raise CommandFailed(
            ExitCode.USAGE,
            f"a rehearsal knows no secrets of an environment, and {wish.service} wants {', '.join(missing)}",
            "write values that will do as lines NAME=VALUE into a file, and name it with --secrets FILE",
        )
    return Plan(
        service=wish.service,
        environment=deploying[-1].environment,
        own_file=own,
        quick=wish.quick,
        per_second=min(asked.per_second * wish.quick, MOST_PER_SECOND),
        paths=wish.paths or _paths(pipeline),
        at_most_seconds=of_one_release(pipeline, wish.quick).total_seconds(),
    )


def _paths(pipeline: Pipeline) -> tuple[str, ...]:
    """What the file's own synthetic requests ask for; else the front page."""
    return tuple({one.verify.traffic.path: 0 for one in pipeline.stages if one.verify and one.verify.traffic}) or ("/",)


def _secrets(wish: Wish) -> dict[str, str]:
    if wish.secrets is None:
        return {}
    lines = wish.secrets.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _configuration(plan: Plan, repository: RehearsedRepository, batch_seconds: float) -> str:
    environments = {one.environment: {"protected": False} for one in repository.pipeline.stages}
    return json.dumps({"environments": environments, "batch": f"{batch_seconds:g}s"}) + "\n"


def _batch_seconds(wish: Wish) -> float:
    """As the asked server has it, where its file is on this machine."""
    try:
        configured = server_yaml.read(resolve_data_folder(wish.data))
    except (OSError, ConfigError):
        configured = ServerConfiguration({})
    return max(configured.batch.total_seconds() / wish.quick, LEAST_BATCH_SECONDS)


def _say_plan(session: Session, wish: Wish, asked: Asked, plan: Plan) -> None:
    users = f"users send {plan.per_second:.3g} requests a second ({asked.said_of_traffic}"
    users += f", times {wish.quick:g})" if wish.quick != 1 else ")"
    if plan.per_second < asked.per_second * wish.quick:
        users += f"; more than {MOST_PER_SECOND:g} are not played"
    _say(session, f"{asked.commit[:8]} of {wish.service} is rehearsed; the faults are in {plan.environment}; {users}")
    if wish.quick != 1:
        _say(session, f"all times are 1/{wish.quick:g} of the file's; figures are as they were measured so")


def _play(
    session: Session, wish: Wish, plan: Plan, repository: RehearsedRepository, data: Path
) -> tuple[FaultOutcome, ...]:
    server = RehearsalServer(data, _configuration(plan, repository, _batch_seconds(wish)))
    rehearser = Rehearser(server, repository, plan, lambda text: _say(session, text))
    try:
        _say(session, f"its server is at {server.address}, in {data}")
        rehearser.begin(_secrets(wish))
        return tuple(_one(session, rehearser, fault) for fault in wish.faults)
    finally:
        rehearser.stop()
        server.stop_all()


def _one(session: Session, rehearser: Rehearser, fault: Fault) -> FaultOutcome:
    _say(session, f"{fault.value}: {fault.in_words}")
    outcome = rehearser.rehearse(fault)
    how = "went well" if outcome.went_well else "went wrong"
    _say(session, f"{fault.value}: {how} after {outcome.took_seconds:.0f} s; it ended on {outcome.end.in_words}")
    return outcome


def _say(session: Session, text: str) -> None:
    if not session.output.json:
        session.output.say(text)


def _end(
    session: Session, wish: Wish, asked: Asked, plan: Plan, outcomes: Sequence[FaultOutcome], began: datetime
) -> int:
    body = {
        "service": wish.service,
        "commit": asked.commit,
        "environment": plan.environment,
        "began_at": began.isoformat(),
        "ended_at": datetime.now(UTC).isoformat(),
        "quick": wish.quick,
        "per_second": plan.per_second,
        "outcomes": [outcome_json(one) for one in outcomes],
    }
    session.output.document(body)
    session.output.table(HEADINGS, map(row, map(outcome_json, outcomes)))
    try:
        session.client.post("rehearsals", body=body)
    except CommandFailed as error:
        # hours may have gone into it, so the answer is told all the same
        session.output.note(f"the server did not record it: {error}")
    return ExitCode.DONE if all(one.went_well for one in outcomes) else ExitCode.FAILED


HEADINGS = ("fault", "found", "after", "harmed", "of requests", "ended on", "traffic back", "why")


def row(outcome: dict[str, Any]) -> tuple[object, ...]:
    """A fault's line in the table."""
    harmed, requests = outcome["harmed"], outcome["requests"]
    share = f"{harmed / requests:.2%}" if requests else "–"
    return (
        outcome["fault"],
        "yes" if outcome["found"] else "no",
        _seconds(outcome["seconds"]),
        harmed,
        f"{requests} ({share})",
        End(outcome["end"]).in_words,
        _seconds(outcome["rollback_seconds"]),
        outcome["why"],
    )


def outcome_json(one: FaultOutcome) -> dict[str, Any]:
    """A fault's outcome as the API takes and tells it."""
    return {
        "fault": one.fault.value,
        "found": one.found,
        "why": one.why,
        "seconds": one.seconds,
        "requests": one.requests,
        "harmed": one.harmed,
        "end": one.end.value,
        "rollback_seconds": one.rollback_seconds,
        "took_seconds": round(one.took_seconds, 3),
    }


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.3g} s"


def _end_on_signals() -> None:
    """A terminated rehearsal stops what it started, as Ctrl-C does."""

    def _end_it(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, _end_it)
