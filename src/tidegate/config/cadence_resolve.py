"""From the sections about pace to the model's values."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.config.cadence_sections import BatchSection, CadenceSection, TrainSection
from tidegate.model.cadence import Batch, Cadence, CadenceKind
from tidegate.model.ids import ServiceName
from tidegate.model.requires import Requirement
from tidegate.model.schedule import Schedule
from tidegate.model.train import Train


def cadence(section: CadenceSection) -> Cadence:
    """When releases go on."""
    if section.schedule is None:
        return Cadence(section.kind or CadenceKind.CONTINUOUS)
    times = Schedule(section.schedule.cron, section.schedule.timezone, section.schedule.stays)
    return Cadence(CadenceKind.SCHEDULED, times)


def batch(section: BatchSection) -> Batch:
    """How releases are collected."""
    return Batch(section.within, section.at_most)


def requirements(*sections: Mapping[ServiceName, str]) -> tuple[Requirement, ...]:
    """What is required of other services, by the whole file and by a gate: each once."""
    found = (Requirement(service, specifier) for one in sections for service, specifier in one.items())
    return tuple(dict.fromkeys(found))


def train(section: TrainSection) -> Train:
    """A release train."""
    leaves = Schedule(section.leaves.cron, section.leaves.timezone) if section.leaves else None
    return Train(section.name, section.services, section.environment, dict(section.after), leaves)
