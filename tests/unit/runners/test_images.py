"""Which image a name means, as engines tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tidegate.runners import images
from tidegate.runners.engine import Engine, EngineAway, EngineRefused
from tidegate.runners.images import Image
from tidegate.runners.runner import StepNotStarted

ONE, OTHER, IDENTITY = ("sha256:" + digit * 64 for digit in "123")


@dataclass
class FakeEngine(Engine):
    """Has images by name, and a registry with more of them."""

    has: Mapping[str, list[str]] = field(default_factory=dict)
    registry: Mapping[str, list[str]] = field(default_factory=dict)
    pulled: list[str] = field(default_factory=list)
    trouble: Exception | None = None

    def image(self, name: str) -> tuple[str, list[str]] | None:
        digests = self.has.get(name) if name not in self.pulled else self.registry.get(name)
        return None if digests is None else (IDENTITY, digests)

    def pull(self, name: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.pulled.append(name)


@pytest.mark.parametrize(
    ("name", "digests", "digest"),
    [
        ("docker.io/library/python:3.12", [f"docker.io/library/python@{ONE}"], ONE),
        ("python:3.12", [f"mirror.example/other@{OTHER}", f"docker.io/library/python@{ONE}"], ONE),
        (f"python@{ONE}", [f"python@{ONE}"], ONE),
        ("localhost:5000/shop", [f"localhost:5000/shop@{ONE}"], ONE),
        ("shop:1", [f"elsewhere/renamed@{OTHER}"], OTHER),
        ("built-here:latest", [], IDENTITY),
    ],
)
def test_its_digest_is_the_one_of_the_repository_that_the_name_means(
    name: str, digests: list[str], digest: str
) -> None:
    assert images.bring(FakeEngine(has={name: digests}), name) == Image(IDENTITY, digest)


def test_it_is_pulled_only_where_it_is_missing() -> None:
    engine = FakeEngine(has={"here:1": []}, registry={"there:1": [f"there@{ONE}"]})
    images.bring(engine, "here:1")
    assert images.bring(engine, "there:1").digest == ONE
    assert engine.pulled == ["there:1"]


def test_what_the_engine_says_is_passed_on_and_an_engine_that_is_away_is_no_wrong_name() -> None:
    with pytest.raises(StepNotStarted, match=r"the image none:1 .* could not be pulled: manifest unknown\. Check"):
        images.bring(FakeEngine(trouble=EngineRefused("manifest unknown")), "none:1")
    with pytest.raises(EngineAway, match="asleep"):
        images.bring(FakeEngine(trouble=EngineAway("asleep")), "none:1")
    with pytest.raises(StepNotStarted, match="it was pulled, and is not there"):
        images.bring(FakeEngine(), "none:1")
