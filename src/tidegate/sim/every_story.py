"""All stories that there are."""

from __future__ import annotations

from tidegate.sim.drill_stories import DRILL_STORIES
from tidegate.sim.floor_stories import FLOOR_STORIES
from tidegate.sim.hook_stories import HOOK_STORIES
from tidegate.sim.incident_stories import INCIDENT_STORIES
from tidegate.sim.metric_stories import METRIC_STORIES
from tidegate.sim.proof_stories import PROOF_STORIES
from tidegate.sim.rehearsal_stories import REHEARSAL_STORIES
from tidegate.sim.step_stories import STEP_STORIES
from tidegate.sim.stories import STORIES
from tidegate.sim.train_stories import TRAIN_STORIES

FAULT_STORIES = (*REHEARSAL_STORIES, *PROOF_STORIES, *METRIC_STORIES, *INCIDENT_STORIES, *DRILL_STORIES)
"""The faults of a rehearsal, what is found beside the figures of the router, and what comes of it."""

EVERY_STORY = (*STORIES, *TRAIN_STORIES, *FLOOR_STORIES, *HOOK_STORIES, *FAULT_STORIES, *STEP_STORIES)
