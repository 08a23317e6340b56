"""What a service's file becomes for a rehearsal."""

from __future__ import annotations

import shlex
from datetime import timedelta

import pytest

from tidegate.config.problem import ConfigError
from tidegate.config.rehearsed import AGENT_STEP, Wrapping, rehearsed
from tidegate.config.tidegate_yaml import load
from tidegate.demo.versions import SHOP
from tidegate.model.pipeline import Repeat, SharePoint
from tidegate.model.rehearsal_time import BUILD, of_one_release

WRAPPING = Wrapping(("python", "faulty.py", "--fault", "errors"))

FILE = """\
service: shop
mode: delivery
cadence: {kind: on-demand}
build: {steps: [{name: test, run: make test}]}
runtime: {command: 'exec ./shop --port "$PORT" --say "it''s"', instances: 4, secrets: [KEY]}
stages:
  - name: staging
    environment: staging
    verify: {soak: 2m, traffic: {path: /ping, rate: 5/s}}
  - name: production
    environment: production
    gate: {approvals: {count: 2}}
    deploy: {strategy: canary, shares: [5%, {approve: 1}, {share: 50%, at_least: 10m}], keep_warm: 1h}
    verify:
      at_most: 20m
      watch: 1h
      metrics:
        latency: {tolerance: 20%}
        orders: {source: prometheus, query: 'orders{deployment="$deployment"}[$window]', per: requests, worse: down}
      objective: {availability: 99.9%}
      no_data: rollback
"""


def test_what_cannot_be_undone_is_not_rehearsed() -> None:
    file = rehearsed(
        FILE + "    steps: [{name: smoke, run: x}, {name: drop, run: x, irreversible: true}]\n", WRAPPING, 10
    )
    assert [one.name for one in load(file.text).stages[1].steps] == ["smoke"]
    assert "the steps drop, which cannot be undone" in file.left_out


def test_checks_are_rehearsed_and_load_checks_are_left_out_and_said() -> None:
    checked = FILE.replace(
        "verify: {soak: 2m,",
        "verify: {soak: 2m, checks: [{name: order, run: ./order.sh, every: 30s}], load: {at_least: 20/s},",
    )
    file = rehearsed(checked, WRAPPING, 10)
    verify = load(file.text).stages[0].verify
    assert verify is not None and verify.load is None
    (check,) = verify.checks
    assert (check.run, check.repeat) == ("./order.sh", Repeat(timedelta(seconds=3)))
    assert "the load checks of staging, which would measure the proxies around the instances" in file.left_out


def test_the_strategy_and_the_verification_stay_and_times_are_shortened() -> None:
    before, after = load(FILE), load(rehearsed(FILE, WRAPPING, 10).text)
    assert [one.name for one in after.stages] == ["staging", "production"]
    deploy, verify = after.stages[1].deploy, after.stages[1].verify
    assert deploy and verify and before.stages[1].verify
    shares = [one for one in deploy.shares if isinstance(one, SharePoint)]
    assert [(one.share.fraction, one.at_least) for one in shares] == [(0.05, timedelta(0)), (0.5, timedelta(minutes=1))]
    assert deploy.keep_warm == timedelta(minutes=6)
    assert (verify.at_most, verify.watch) == (timedelta(minutes=2), timedelta(minutes=6))
    assert verify.latency == before.stages[1].verify.latency
    assert (verify.availability, verify.no_data) == (0.999, before.stages[1].verify.no_data)


def test_nothing_is_shortened_that_nobody_asked_to() -> None:
    before, after = load(FILE), load(rehearsed(FILE, WRAPPING, 1).text)
    for one, other in zip(before.stages, after.stages, strict=True):
        assert one.verify and other.verify
        assert (one.verify.at_most, one.verify.soak, one.verify.watch, one.verify.traffic) == (
            *(other.verify.at_most, other.verify.soak, other.verify.watch),
            other.verify.traffic,
        )


def test_people_and_foreign_figures_are_left_out_and_said() -> None:
    file = rehearsed(FILE, WRAPPING, 1)
    stages = load(file.text).stages
    assert all(one.gate.approvals is None for one in stages)
    assert stages[1].verify and not stages[1].verify.metrics
    said = "; ".join(file.left_out)
    assert all(word in said for word in ("cadence", "gates of production", "orders", "approvals between shares"))


def test_the_command_is_run_by_the_fault_as_it_was_written() -> None:
    before, after = load(FILE).runtime, load(rehearsed(FILE, WRAPPING, 1).text).runtime
    assert before and after
    assert shlex.split(after.command) == ["exec", *WRAPPING.words, "--", before.command]
    assert (after.instances, after.secrets) == (before.instances, before.secrets)


def test_synthetic_requests_are_not_raised_beyond_what_the_stage_can_bear() -> None:
    stage = load(rehearsed(FILE, WRAPPING, 100).text).stages[0]
    assert stage.verify and stage.verify.traffic and stage.verify.traffic.per_second == 40


def test_the_step_in_which_the_agent_is_killed_comes_first() -> None:
    own = (SHOP / "1-first" / "tidegate.yaml").read_text()
    steps = load(rehearsed(own, WRAPPING, 1, "sleep 3").text).build.steps
    assert [one.name for one in steps] == [AGENT_STEP, "unit tests", "package"]


def test_what_runs_after_a_rollback_is_left_out_and_said() -> None:
    hooks = "hooks: {after_rollback: [{name: tell, run: ./tell.sh}]}, strategy: canary"
    file = rehearsed(FILE.replace("strategy: canary", hooks), WRAPPING, 10)
    deploy = load(file.text).stages[1].deploy
    assert deploy is not None and not deploy.after_rollback
    assert "what runs after a rollback in production" in file.left_out


def test_how_long_it_may_take_is_what_the_stages_may() -> None:
    assert of_one_release(load(FILE), 10) == timedelta(minutes=(30 + 2 + 20 + 60) / 10) + BUILD


def test_a_file_that_is_wrong_is_said_to_be() -> None:
    with pytest.raises(ConfigError):
        rehearsed(FILE.replace("runtime", "runtme"), WRAPPING, 1)
