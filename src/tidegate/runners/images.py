"""Images: which one a name means on this machine, brought from its registry where it is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.runners.engine import Engine, EngineRefused
from tidegate.runners.patience import patiently
from tidegate.runners.runner import StepNotStarted


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is on this machine. `id` is the engine's name for exactly this one."""

    id: str
    digest: str
    """By which the registry that it came from knows it; its id where it came from none."""


def bring(engine: Engine, name: str, check_in: Callable[[], None] = lambda: None) -> Image:
    """The image of that name, pulled where it is missing; `check_in` is called meanwhile and may raise.

    Raises StepNotStarted where there is no such image, and EngineAway.
    """
    try:
        found = engine.image(name)
        if found is None:
            # an engine may be silent for long, and a cancelled step must not wait for it
            patiently(lambda: engine.pull(name), check_in)
            found = engine.image(name)
    except EngineRefused as error:
        raise _not_there(name, str(error)) from error
    if found is None:
        raise _not_there(name, "it was pulled, and is not there")
    identity, repository_digests = found
    return Image(identity, _digest(name, repository_digests) or identity)


def _not_there(name: str, said: str) -> StepNotStarted:
    return StepNotStarted(
        f"the image {name} is not on the agent's machine and could not be pulled: {said}. Check its name and tag in "
        "the pipeline, and that the agent's machine reaches the registry; or load the image there"
    )


def _digest(name: str, repository_digests: list[str]) -> str | None:
    """The digest in the repository that the name means; one of another repository is no less true."""
    repository = name.partition("@")[0].rpartition("/")[2].partition(":")[0]
    of_it = [one for one in repository_digests if one.partition("@")[0].endswith(f"/{repository}")]
    for one in of_it or repository_digests:
        return one.partition("@")[2]
    return None
