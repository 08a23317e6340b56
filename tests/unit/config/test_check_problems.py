"""What is said about checks and load checks that cannot be made, or would come to users."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.config.test_tidegate_yaml_problems import HEAD, RUNTIME

from tidegate.config.tidegate_yaml import ConfigError, load
from tidegate.model.environment import Environment
from tidegate.model.ids import EnvironmentName, StageName
from tidegate.model.load import LoadRule
from tidegate.model.pipeline import Pipeline, Repeat

KNOWN = {
    name: Environment(name, protected=name == "production") for name in map(EnvironmentName, ("staging", "production"))
}
PRODUCTION = "  - {name: live, environment: production}\n"


def read(verify: str, *, rest: str = PRODUCTION, environment: str = "staging", steps: str = "") -> Pipeline:
    stage = f"  - {{name: a, environment: {environment}, {steps}verify: {{{verify}}}}}\n"
    return load(f"{HEAD}{RUNTIME}stages:\n{stage}{rest}", "t.yaml", KNOWN)


def told(verify: str, *, rest: str = PRODUCTION, environment: str = "staging", steps: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        read(verify, rest=rest, environment=environment, steps=steps)
    (only,) = caught.value.problems
    return f"{only.message} ({only.hint})"


def test_a_check_is_a_step_that_repeats_and_a_load_check_compares_with_the_last_stage() -> None:
    pipeline = read("checks: [{name: order, run: ./order.sh, every: 10s, failures: 3}], load: {at_least: 20/s}")
    verify = pipeline.stage(StageName("a")).verify
    assert verify is not None and verify.load is not None
    (check,) = verify.checks
    assert (check.run, check.repeat, check.is_work) == ("./order.sh", Repeat(timedelta(seconds=10), 3), False)
    assert verify.load.load == LoadRule(EnvironmentName("production"), at_least=20.0)
    assert verify.load.timeout > verify.load.load.ramp
    assert [step.name for step in pipeline.stage(StageName("a")).all_steps] == ["order", "load check"]


@pytest.mark.parametrize(
    ("verify", "said"),
    [
        ("checks: [{name: s, run: x}]", 'the stage has a step with the name "s" already'),
        ("checks: [{name: c, run: x}, {name: c, run: y}]", 'the stage has a check with the name "c" already'),
        ("checks: [{name: load check, run: x}], load: {at_least: 20/s}", 'the load check is called "load check"'),
        ("checks: []", '"checks" is empty'),
        ("checks: [{name: c, run: x, every: 0s}]", "'0s' is no time at all"),
        ("checks: [{name: c, run: x, failures: 0}]", "0 is out of range: failures is at least 1"),
        ("checks: [{name: c, run: x, needs: [s]}]", '"needs" does not belong here (checks wait for nothing'),
        ("load: {multiple: 2}", '"at_least" is missing'),
        ("load: {at_least: 20/s, multiple: 0}", "0 is out of range: multiple is more than 0.0"),
        ("load: {at_least: 30000/s}", "'30000/s' is not between 0 and 20000/s"),
        ("load: {at_least: 20/s, of: prodction}", 'there is no environment "prodction" (did you mean "production"?)'),
        (
            "load: {at_least: 2/s}",
            "the first of the 8 steps would send 3.8 requests, and says nothing below 20 "
            "(at_least: 10.7/s, or ramp: 640s)",
        ),
        ("load: {at_least: 20/s, ramp: 10s}", "the first of the 8 steps would send 3.1 requests"),
        ("traffic: {rate: 5/s, script: x}", '"script" does not belong here (scripts that run meanwhile belong to "ch'),
    ],
)
def test_a_mistake_in_the_checks_is_told(verify: str, said: str) -> None:
    assert told(verify, steps="steps: [{name: s, run: x}], ").startswith(said)


def test_no_load_comes_to_a_protected_environment_unless_the_file_says_so() -> None:
    load = "load: {at_least: 20/s, of: production}"
    assert told(load, rest="", environment="production") == (
        "a load check in production, which is protected, would come on top of what its users ask "
        "(give an earlier stage the load check, or say protected: true)"
    )
    pipeline = read(load.replace("}", ", protected: true}"), rest="", environment="production")
    verify = pipeline.stage(StageName("a")).verify
    assert verify and verify.load and verify.load.load and verify.load.load.protected


def test_a_load_check_is_compared_with_another_environment() -> None:
    assert told("load: {at_least: 20/s}", rest="").endswith('(name it with "of")')
