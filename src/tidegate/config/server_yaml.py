"""`tidegate-server.yaml`: the server's own configuration, which no service's file can weaken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from tidegate.config import cadence_resolve, document, explain, time_resolve
from tidegate.config.cadence_consistency import contradictions_in_trains
from tidegate.config.json_schema import schema_of
from tidegate.config.lookup import at
from tidegate.config.notification_sections import same_names
from tidegate.config.policy_consistency import contradictions_in_server
from tidegate.config.problem import Problem, did_you_mean, quoted_list
from tidegate.config.resolve import gate_rules
from tidegate.config.server_sections import EnvironmentSection, FloorSection, ServerSection
from tidegate.config.time_consistency import unknown_calendars
from tidegate.config.time_sections import FreezeSection
from tidegate.model.environment import DEFAULT_ENVIRONMENTS, Environment, ServerConfiguration
from tidegate.model.floor import Floor
from tidegate.model.gate_rules import GateRules
from tidegate.model.ids import EnvironmentName
from tidegate.model.pipeline import Mode

FILE = "tidegate-server.yaml"


def read(folder: Path) -> ServerConfiguration:
    """The configuration in a server's data folder; the default one where there is no file.

    Raises ConfigError with everything that is wrong in the file, OSError where it cannot be read.
    """
    path = folder / FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ServerConfiguration(DEFAULT_ENVIRONMENTS)
    return load(document.decode(raw, str(path)), str(path))


def load(text: str, file: str = FILE) -> ServerConfiguration:
    """Read the configuration. `file` is what messages call the text. Raises ConfigError with everything wrong."""
    read = document.read(text, file)
    contradictions = chain(
        _unknown_environments(read), unknown_calendars(read), contradictions_in_server(read), same_names(read)
    )
    section = explain.validate(read, ServerSection, contradictions)
    return ServerConfiguration(
        environments=_environments(section),
        trains={one.name: cadence_resolve.train(one) for one in section.trains},
        poll_interval=section.poll_interval,
        cache=section.cache,
        batch=section.batch,
        address=section.address,
        provider=section.sign_in.oidc.settings() if section.sign_in and section.sign_in.oidc else None,
        hosts=section.external.hosts if section.external else (),
        prometheus=section.metrics.prometheus.settings() if section.metrics.prometheus else None,
        alerts_token_file=section.alerts.token_file if section.alerts else None,
        channels=tuple(one.channel() for one in section.notifications),
    )


def _environments(section: ServerSection) -> Mapping[EnvironmentName, Environment]:
    if section.environments is None:
        known: Mapping[EnvironmentName, Environment] = DEFAULT_ENVIRONMENTS
    else:
        known = {name: _environment(name, one) for name, one in section.environments.items()}
    calendars = time_resolve.calendars(section.calendars)
    return {
        name: replace(
            one,
            floors=(*one.floors, *(_floor(floor) for floor in section.floors if _is_in(floor, one))),
            calendars=calendars,
            freezes=tuple(time_resolve.freezes(name, _freezes(section, name), calendars)),
        )
        for name, one in known.items()
    }


def _freezes(section: ServerSection, name: EnvironmentName) -> tuple[FreezeSection, ...]:
    return section.environments[name].freezes if section.environments else ()


def _environment(name: EnvironmentName, section: EnvironmentSection) -> Environment:
    rules = gate_rules(section.gate, f"environment {name}")
    own = Floor(rules, must_have_passed=section.requires, deployment=section.mode is Mode.DEPLOYMENT)
    floors = () if own == Floor(GateRules(source=rules.source)) else (own,)
    drills = section.drills.rule() if section.drills else None
    return Environment(name, section.protected, section.target.value, section.router.value, floors, drills=drills)


def _floor(section: FloorSection) -> Floor:
    rules = gate_rules(section.gate, f"floor {section.name}")
    return Floor(rules, section.services, section.requires, section.mode is Mode.DEPLOYMENT)


def _is_in(section: FloorSection, environment: Environment) -> bool:
    return environment.protected if section.environments is None else environment.name in section.environments


def _unknown_environments(read: document.Document) -> Iterator[Problem]:
    """Names of environments that the file does not have."""
    plain = read.plain()
    named = at(plain, ("environments",))
    known = [*named] if isinstance(named, dict) else [*DEFAULT_ENVIRONMENTS]
    places: list[document.Path] = [("environments", name, "requires") for name in known]
    floors = at(plain, ("floors",))
    for index in range(len(floors) if isinstance(floors, list) else 0):
        places += [("floors", index, "environments"), ("floors", index, "requires")]
    channels = at(plain, ("notifications",))
    places += [
        ("notifications", index, "environments") for index in range(len(channels) if isinstance(channels, list) else 0)
    ]
    for place in places:
        words = at(plain, place)
        for index, word in enumerate(words if isinstance(words, list) else ()):
            here = (*place, index)
            if isinstance(word, str) and word not in known:
                hint = did_you_mean(word, known) or f"the file has {quoted_list(known)}"
                yield read.problem(here, f'there is no environment "{word}"', hint)
            elif place[0] == "environments" and word == place[1]:
                yield read.problem(here, f"{word} cannot wait for itself", "name an environment that comes before it")
    yield from contradictions_in_trains(read, known)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file, for editors."""
    return schema_of(ServerSection, FILE)
