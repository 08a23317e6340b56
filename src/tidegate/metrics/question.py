"""The seam between the engine and sources that are asked about one deployment at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.model.ids import DeploymentId, EnvironmentName, ServiceName
from tidegate.model.metric import PLACEHOLDER, Figures, MetricRule, NoFigures


@dataclass(frozen=True, slots=True)
class Question:
    """What a metric shows of a deployment from `begin` to `end`. `secrets` are those that the rule names, opened."""

    rule: MetricRule
    service: ServiceName
    environment: EnvironmentName
    deployment: DeploymentId
    begin: datetime
    end: datetime
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def window(self) -> timedelta:
        """The time that is asked about."""
        return self.end - self.begin


class FigureSource(Protocol):
    """Answers questions about deployments."""

    def read(self, question: Question) -> Figures | NoFigures:
        """The figures, of the rule's kind. Each is a finite number, counts are not negative.

        Raises SourceFailed where the source gives no answer, or one that cannot be what was asked for.
        """


def filled(query: str, question: Question) -> str:
    """The query about this deployment and window. What is put in has no characters that mean anything to a query."""
    values = {
        "deployment": question.deployment,
        "service": question.service,
        "environment": question.environment,
        "window": f"{max(1, round(question.window.total_seconds() * 1000))}ms",
    }
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), query)
