"""From the sections about steps to the model's: matrices become steps, and the build's image that of its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from tidegate.config.matrices import matrix_of
from tidegate.config.step_sections import (
    BuildSection,
    BuildStepSection,
    FolderCacheSection,
    HookStepSection,
    SetupSection,
    SidecarSection,
    StageStepSection,
    StepSection,
)
from tidegate.model.ids import StepName
from tidegate.model.matrix import IMAGE, name_of
from tidegate.model.pipeline import Build, Concurrency, FolderCache, Retry, Setup, Sidecar, SidecarHealth, Step

_S = TypeVar("_S", bound=StepSection)


def build(section: BuildSection) -> Build:
    """The build that a section describes."""
    return Build(
        steps=_expanded(section.steps, lambda step: _build_step(step, section.image)),
        setup=_setup(section.setup) if section.setup else None,
        outdated=section.outdated,
    )


def stage_steps(sections: Sequence[StageStepSection]) -> tuple[Step, ...]:
    """The steps of a stage; what cannot be undone needs all that can."""
    steps = _expanded(sections, _stage_step)
    before = tuple(step.name for step in steps if not step.irreversible)
    return tuple(
        replace(step, needs=tuple(dict.fromkeys((*step.needs, *before)))) if step.irreversible else step
        for step in steps
    )


def hook_steps(sections: Sequence[HookStepSection]) -> tuple[Step, ...]:
    """The steps that run once a rollout is over."""
    return _expanded(sections, _step)


def _expanded(sections: Sequence[_S], resolve: Callable[[_S], Step]) -> tuple[Step, ...]:
    """The steps in the order of the file, each with a matrix as many; who needs it needs all of them."""
    many = {section.name: _combined(resolve(section), section) for section in sections}
    names = {name: tuple(step.name for step in steps) for name, steps in many.items()}
    return tuple(replace(step, needs=_needs(step.needs, names)) for step in chain.from_iterable(many.values()))


def _combined(step: Step, section: StepSection) -> tuple[Step, ...]:
    if section.matrix is None:
        return (step,)
    return tuple(_variant(step, combination) for combination in matrix_of(section.matrix).combinations())


def _variant(step: Step, combination: Mapping[str, str]) -> Step:
    variables = {name: value for name, value in combination.items() if name != IMAGE}
    return replace(
        step,
        name=StepName(name_of(step.name, combination)),
        env={**step.env, **variables},
        image=combination.get(IMAGE, step.image),
    )


def _needs(needs: Sequence[StepName], names: Mapping[StepName, tuple[StepName, ...]]) -> tuple[StepName, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(names.get(name, (name,)) for name in needs)))


def _step(section: StepSection) -> Step:
    return Step(
        name=section.name,
        run=section.run,
        needs=tuple(section.needs),
        timeout=section.timeout,
        retry=Retry(section.retry.attempts, tuple(section.retry.causes)),
        env=dict(section.env),
        junit=section.reports.junit,
        coverage=section.reports.coverage,
        tests=section.tests,
        failed_first=section.failed_first,
        working_directory=section.working_directory,
        condition=section.condition,
        allow_failure=section.allow_failure,
        image=section.image,
        sidecars=tuple(_sidecar(name, one) for name, one in section.services.items()),
        labels=tuple(section.labels),
        concurrency=Concurrency(section.concurrency.group, section.concurrency.limit) if section.concurrency else None,
    )


def _stage_step(section: StageStepSection) -> Step:
    return replace(_step(section), irreversible=section.irreversible)


def _build_step(section: BuildStepSection, image: str | None) -> Step:
    step = _step(section)
    return replace(
        step,
        inputs=tuple(section.inputs),
        outputs=tuple(section.outputs),
        cache=_cache(section.cache),
        artifacts=dict(section.artifacts),
        image=step.image or image,
    )


def _setup(section: SetupSection) -> Setup:
    return Setup(section.run, tuple(section.inputs), tuple(section.outputs), _cache(section.cache))


def _cache(section: FolderCacheSection | None) -> FolderCache | None:
    return FolderCache(tuple(section.paths), tuple(section.key)) if section else None


def _sidecar(name: str, section: SidecarSection) -> Sidecar:
    return Sidecar(
        name=name,
        image=section.image,
        port=section.port,
        env=dict(section.env),
        command=section.command,
        health=SidecarHealth(section.health.command, section.health.within),
    )
