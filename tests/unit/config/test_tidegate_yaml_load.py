"""What a valid tidegate.yaml becomes: the typed pipeline with every default filled in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidegate.config.tidegate_yaml import load
from tidegate.model.environment import DEFAULT_ENVIRONMENTS
from tidegate.model.gate_rules import ApprovalRule, GateRules
from tidegate.model.ids import EnvironmentName, ServiceName, StageName, StepName
from tidegate.model.pipeline import (
    ApprovalPoint,
    Build,
    DeployRule,
    Health,
    LatencyRule,
    Mode,
    OnBlind,
    OnDoubt,
    Pipeline,
    Retry,
    RetryCause,
    Risk,
    Runtime,
    Setup,
    SharePoint,
    Stage,
    Step,
    Strategy,
    SyntheticTraffic,
    VerifyRule,
)
from tidegate.model.recording import MetricKind, Worse
from tidegate.model.share import Share

EVERYTHING = """
service: shop
team: payments
risk: high
mode: deployment
branch: release/2
path: ./services/shop/
build:
  setup: make deps
  steps:
    - name: unit tests
      run: |
        make test
        make coverage
      timeout: 1h30m
      retry: {attempts: 2, causes: [lost, failed]}
      env: {CI: "true"}
      reports: {junit: reports/unit.xml, coverage: reports/coverage.xml}
    - name: package
      needs: [unit tests]
      run: make package
      artifacts: {shop: "dist/*.whl"}
runtime:
  artifact: shop
  prepare: make venv
  command: .venv/bin/shop --port "$PORT"
  health: {path: /ready?deep=1, within: 10s}
  instances: 2
  stop_grace: 5s
  env: {LOG_LEVEL: info}
  secrets: [DATABASE_URL]
stages:
  - name: staging
    environment: staging
    deploy: {strategy: rolling}
    steps:
      - {name: integration tests, run: ./ci/integration.sh}
    verify:
      soak: 500ms
      traffic: {path: /x, rate: 300/m}
  - name: production
    environment: production
    needs: [staging]
    gate: {approvals: {count: 2, expires: 3d}}
    deploy:
      strategy: canary
      shares: [0.5%, {approve: 1}, {share: 50%, at_least: 5m}, 100%]
      keep_warm: 1h
    verify:
      at_most: 45m
      watch: 2h
      metrics: {latency: {quantiles: [0.5, 0.9], tolerance: 15%}}
      objective: {availability: 99.995%}
      undecided: promote
      no_data: rollback
"""


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_every_key_of_the_format_arrives_in_the_pipeline() -> None:
    assert load(EVERYTHING, "tidegate.yaml", DEFAULT_ENVIRONMENTS) == Pipeline(
        service=ServiceName("shop"),
        team="payments",
        risk=Risk.HIGH,
        mode=Mode.DEPLOYMENT,
        branch="release/2",
        path="services/shop",
        build=Build(
            steps=(
                Step(
                    StepName("unit tests"),
                    "make test\nmake coverage\n",
                    timeout=minutes(90),
                    retry=Retry(2, (RetryCause.LOST, RetryCause.FAILED)),
                    env={"CI": "true"},
                    junit="reports/unit.xml",
                    coverage="reports/coverage.xml",
                ),
                Step(
                    StepName("package"),
                    "make package",
                    needs=(StepName("unit tests"),),
                    artifacts={"shop": "dist/*.whl"},
                ),
            ),
            setup=Setup("make deps"),
        ),
        runtime=Runtime(
            '.venv/bin/shop --port "$PORT"',
            artifact="shop",
            prepare="make venv",
            health=Health("/ready?deep=1", timedelta(seconds=10)),
            instances=2,
            stop_grace=timedelta(seconds=5),
            env={"LOG_LEVEL": "info"},
            secrets=("DATABASE_URL",),
        ),
        stages=(
            Stage(
                StageName("staging"),
                EnvironmentName("staging"),
                deploy=DeployRule(Strategy.ROLLING, keep_warm=timedelta(0)),
                steps=(Step(StepName("integration tests"), "./ci/integration.sh"),),
                verify=VerifyRule(soak=timedelta(seconds=0.5), traffic=SyntheticTraffic("/x", 5.0)),
            ),
            Stage(
                StageName("production"),
                EnvironmentName("production"),
                needs=(StageName("staging"),),
                gate=GateRules(ApprovalRule(2, timedelta(days=3))),
                deploy=DeployRule(
                    Strategy.CANARY,
                    (SharePoint(Share(50)), ApprovalPoint(1), SharePoint(Share(5000), minutes(5))),
                    minutes(60),
                ),
                verify=VerifyRule(
                    at_most=minutes(45),
                    watch=minutes(120),
                    latency=LatencyRule((0.5, 0.9), 0.15),
                    availability=0.99995,
                    undecided=OnDoubt.PROMOTE,
                    no_data=OnDoubt.ROLLBACK,
                ),
            ),
        ),
    )


SMALLEST = "service: shop\nbuild: {steps: [{name: test, run: make test}]}\n"


def test_a_file_needs_no_more_than_a_service_and_a_build_step() -> None:
    step = Step(StepName("test"), "make test")
    assert load(SMALLEST, "tidegate.yaml") == Pipeline(ServiceName("shop"), build=Build((step,)))


def with_stages(stages: str, runtime: str = "runtime: {command: ./serve}", risk: str = "standard") -> tuple[Stage, ...]:
    return load(f"{SMALLEST}risk: {risk}\n{runtime}\nstages: {stages}\n").stages


def test_a_stage_without_needs_needs_the_stage_before_it_and_the_first_only_the_build() -> None:
    stages = "[{name: a, environment: x}, {name: b, environment: x}, {name: c, environment: x, needs: []}, " + (
        "{name: d, environment: x, needs: [a, b]}, {name: e, environment: x}]"
    )
    assert [stage.needs for stage in with_stages(stages)] == [(), ("a",), (), ("a", "b"), ("d",)]


@pytest.mark.parametrize(
    ("runtime", "risk", "strategy"),
    [
        ("instances: 2", "low", Strategy.ROLLING),
        ("instances: 2", "standard", Strategy.ROLLING),
        ("instances: 2", "high", Strategy.CANARY),
        ("instances: 1", "high", Strategy.BLUE_GREEN),
        ("instances: 2, mixed_versions: false", "high", Strategy.BLUE_GREEN),
    ],
)
def test_a_stage_that_names_no_strategy_gets_the_one_that_suits_risk_and_instances(
    runtime: str, risk: str, strategy: Strategy
) -> None:
    (stage,) = with_stages("[{name: a, environment: x}]", f"runtime: {{command: ./serve, {runtime}}}", risk)
    assert stage.deploy is not None
    assert stage.deploy.strategy is strategy


@pytest.mark.parametrize(
    ("strategy", "shares", "keep_warm"),
    [
        ("canary", ("5%", "25%", "50%"), minutes(15)),
        ("blue-green", (), minutes(15)),
        ("rolling", (), minutes(0)),
    ],
)
def test_each_strategy_has_its_own_defaults(strategy: str, shares: tuple[str, ...], keep_warm: timedelta) -> None:
    (stage,) = with_stages(f"[{{name: a, environment: x, deploy: {{strategy: {strategy}}}}}]")
    assert stage.deploy is not None
    assert tuple(str(point.share) for point in stage.deploy.shares if isinstance(point, SharePoint)) == shares
    assert stage.deploy.keep_warm == keep_warm


def test_a_share_of_100_percent_at_the_end_says_nothing_more() -> None:
    (stage,) = with_stages("[{name: a, environment: x, deploy: {strategy: canary, shares: [10%, 100%]}}]")
    assert stage.deploy is not None
    assert stage.deploy.shares == (SharePoint(Share(1000)),)


def test_without_a_runtime_a_stage_deploys_nothing() -> None:
    (stage,) = with_stages("[{name: a, environment: x, steps: [{name: s, run: x}]}]", runtime="")
    assert stage.deploy is None


def test_a_long_soak_gets_the_time_that_it_needs() -> None:
    (stage,) = with_stages("[{name: a, environment: x, verify: {soak: 1h}}]")
    assert stage.verify is not None
    assert stage.verify.at_most == minutes(120)


def test_an_anchored_part_can_be_used_twice() -> None:
    stages = "[{name: a, environment: x, verify: &v {soak: 1m}}, {name: b, environment: x, verify: *v}]"
    first, second = with_stages(stages)
    assert first.verify == second.verify


def test_what_becomes_of_a_share_that_nobody_judges_is_read() -> None:
    text = EVERYTHING.replace("    verify:\n", "    verify:\n      blind: hold\n      blind_after: 2m\n", 1)
    assert text != EVERYTHING
    rules = [stage.verify for stage in load(text, "tidegate.yaml", DEFAULT_ENVIRONMENTS).stages if stage.verify]
    assert (OnBlind.HOLD, timedelta(minutes=2)) in [(rule.blind, rule.blind_after) for rule in rules]


@pytest.mark.parametrize(
    ("keys", "tolerated", "seen"),
    [
        ("usage: true", 1 / 0.9, 1.25),
        ("usage: true, tolerance: 50%", 1 / 0.75, 2.0),
        ("usage: true, gate: 3", 1 / 0.9, 3),
    ],
)
def test_usage_is_worse_where_it_is_less_and_its_tolerance_is_the_drop_that_fails(
    keys: str, tolerated: float, seen: float
) -> None:
    metric = f"verify: {{metrics: {{wish list: {{source: command, command: [wishes], {keys}}}}}}}"
    stages = f"stages: [{{name: a, environment: staging, {metric}}}]"
    text = f"service: shop\nbuild: {{steps: [{{name: a, run: b}}]}}\nruntime: {{command: ./shop}}\n{stages}\n"
    verify = load(text, "tidegate.yaml", DEFAULT_ENVIRONMENTS).stages[0].verify
    assert verify is not None
    (rule,) = verify.metrics
    assert (rule.usage, rule.worse, rule.kind) == (True, Worse.DOWN, MetricKind.RATE)
    assert (rule.tolerated_ratio, rule.seen_ratio) == pytest.approx((tolerated, seen))
