"""The evidence for a stage's gate, of what a run's decision has loaded."""

from __future__ import annotations

from tidegate.model.evidence import Evidence
from tidegate.model.gather_evidence import EvidenceSources, gather
from tidegate.model.ids import StageName
from tidegate.model.pipeline import Mode
from tidegate.model.run import StageState
from tidegate.model.run_draft import RunDraft


def evidence_at(draft: RunDraft, stage: StageName, mode: Mode) -> Evidence | None:
    """The evidence as the stage's gate sees it; None where nothing asks for it, or there is no release yet."""
    background = draft.state.background.get(stage)
    if background is None or draft.release is None:
        return None
    site = draft.state.sites[stage]
    own = tuple(sorted(draft.stages.values(), key=lambda one: one.position))
    earlier = tuple(one for one in background.earlier_stages if one.name not in draft.stages)
    rollouts = {one.name: rollout for one in own if (rollout := draft.rollout(one.name))}
    sources = EvidenceSources(
        run=draft.run,
        release=draft.release,
        service=draft.state.service,
        mode=mode,
        environment=site.environment,
        serving=background.serving,
        brings=background.brings,
        stages=(*earlier, *own),
        rollouts={**background.earlier_rollouts, **rollouts},
        people=background.people,
        rollbacks_in_a_row=site.placement.rollbacks_in_a_row,
        frozen=_frozen(draft, stage),
        counted=background.counted,
        availability=verify.availability if (verify := draft.definition(stage).verify) else None,
        incidents=background.incidents,
        drill=background.drill,
        rehearsal=background.rehearsal,
    )
    return gather(sources, draft.now)


def _frozen(draft: RunDraft, stage: StageName) -> bool | None:
    """Whether a freeze holds there; None once the gate has opened, after which nobody looks at them."""
    if draft.stages[stage].state not in (StageState.PENDING, StageState.GATE):
        return None
    site = draft.state.sites[stage]
    freezes = (*site.environment.freezes_for(draft.state.service.name), *site.freezes)
    return any(one.holds(draft.now) for one in freezes)
