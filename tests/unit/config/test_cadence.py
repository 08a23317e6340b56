"""Cadence, batches, required services and trains, as they are written and as they are refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidegate.config import server_yaml
from tidegate.config.problem import ConfigError
from tidegate.config.tidegate_yaml import load
from tidegate.model.cadence import Batch, Cadence, CadenceKind
from tidegate.model.ids import ServiceName
from tidegate.model.requires import Requirement
from tidegate.model.schedule import Schedule

HEAD = "service: shop\nbuild: {steps: [{name: a, run: x}]}\n"
STAGES = "stages:\n  - {name: production, environment: production, steps: [{name: s, run: x}]}\n"
TRAIN = """\
trains:
  - name: payments
    services: [a, b, c]
    environment: production
    leaves: {cron: "0 9 * * tue", timezone: Europe/London}
    after: {b: [a], c: [b]}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(text)
    return [str(one) for one in error.value.problems]


def problems_of_server(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        server_yaml.load(text)
    return [str(one) for one in error.value.problems]


def test_without_a_word_releases_go_on_continuously_and_each_alone() -> None:
    pipeline = load(HEAD)
    assert (pipeline.cadence, pipeline.batch, pipeline.train) == (Cadence(), None, None)


def test_a_cadence_is_a_word_or_a_schedule() -> None:
    assert load(HEAD + "cadence: on-demand\n").cadence == Cadence(CadenceKind.ON_DEMAND)
    text = 'cadence: {schedule: {cron: "0 9 * * tue", timezone: Europe/London, for: 2h}}\n'
    wanted = Schedule("0 9 * * tue", "Europe/London", timedelta(hours=2))
    assert load(HEAD + text).cadence == Cadence(CadenceKind.SCHEDULED, wanted)


def test_a_batch_and_a_train_are_read() -> None:
    pipeline = load(HEAD + "batch: {within: 30m, at_most: 10}\ntrain: payments\n")
    assert pipeline.batch == Batch(timedelta(minutes=30), 10)
    assert pipeline.train == "payments"


def test_what_the_file_requires_holds_at_every_gate_and_what_a_gate_requires_there() -> None:
    gate = STAGES.replace("environment: production", "environment: production, gate: {requires: {users: '~=2.1'}}")
    pipeline = load(HEAD + 'requires: {catalog: ">=1.4, <2"}\n' + gate)
    catalog, users = Requirement(ServiceName("catalog"), ">=1.4, <2"), Requirement(ServiceName("users"), "~=2.1")
    assert pipeline.stages[0].gate.requires == (catalog, users)
    assert pipeline.requires == ("catalog", "users")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cadence: weekly\n", '3:10: "weekly" is none of'),
        ("cadence: {}\n", 'expected "continuous", "on-demand" or a "schedule"'),
        ("cadence: {schedule: {cron: 0 9 * *, timezone: UTC}}\n", "a schedule has five fields"),
        ("cadence: scheduled\n", 'expected "continuous", "on-demand" or a "schedule"'),
        ("batch: {at_most: 3}\n", '"within" is missing'),
        ("batch: {within: 1h, at_most: 1}\n", "at least 2"),
        ("requires: {catalog: latest}\n", "says no versions"),
        ("requires: {catalog: 1.4}\n", 'write ">=1.4"'),
        ('requires: {shop: ">=1"}\n', "shop cannot wait for itself"),
        ("requires: [catalog]\n", "expected keys with values"),
        ("train: My Train\n", "is not the name of a train"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, says: str) -> None:
    assert any(says in one for one in problems(HEAD + text)), problems(HEAD + text)


def test_a_train_of_the_server_is_read() -> None:
    train = server_yaml.load(TRAIN).trains["payments"]
    assert train.services == ("a", "b", "c")
    assert train.after == {"b": ("a",), "c": ("b",)}
    assert train.leaves is not None
    assert train.leaves.cron == "0 9 * * tue"
    assert server_yaml.load("trains: [{name: x, services: [a], environment: staging}]\n").trains["x"].leaves is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TRAIN.replace("{b: [a], c: [b]}", "{b: [c], c: [b]}"), "these wait for each other in a circle: b, c"),
        (TRAIN.replace("{b: [a], c: [b]}", "{b: [d]}"), "d is not on this train"),
        (TRAIN.replace("{b: [a], c: [b]}", "{d: [a]}"), "d is not on this train"),
        (TRAIN.replace("environment: production", "environment: prod"), 'there is no environment "prod"'),
        (TRAIN.replace("Europe/London", "Europe/Londn"), 'there is no time zone "Europe/Londn"'),
        (TRAIN + TRAIN.partition("\n")[2], 'a second train "payments"'),
        (TRAIN + TRAIN.partition("\n")[2].replace("payments", "others"), "travels to production with the train"),
    ],
)
def test_a_train_that_contradicts_itself_is_refused(text: str, says: str) -> None:
    assert any(says in one for one in problems_of_server(text)), problems_of_server(text)
