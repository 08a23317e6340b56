"""What is said about a tidegate.yaml that is wrong: where, what, and the nearest valid word."""

from __future__ import annotations

import time

import pytest

from tidegate.config.sections import PipelineSection
from tidegate.config.tidegate_yaml import MOST_PROBLEMS, ConfigError, Problem, load
from tidegate.model.ids import EnvironmentName

HEAD = "service: shop\nbuild: {steps: [{name: test, run: make test, artifacts: {shop: out}}]}\n"
RUNTIME = "runtime: {command: ./serve, instances: 2}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, "t.yaml", [EnvironmentName("staging"), EnvironmentName("production")])
    return [str(problem).removeprefix("t.yaml:") for problem in caught.value.problems]


def assert_told(text: str, message: str) -> None:
    """That the only problem is this one, at the place that the text marks with ▸."""
    before, mark, after = text.partition("▸")
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    assert mark
    (only,) = problems(before + after)
    assert only.startswith(f"{place}: {message}")


def test_a_problem_reads_as_place_message_and_hint() -> None:
    problem = Problem("tidegate.yaml", 12, 5, 'unknown key "stpes"', 'did you mean "steps"?')
    assert str(problem) == 'tidegate.yaml:12:5: unknown key "stpes" (did you mean "steps"?)'


def test_all_errors_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
service: My Shop
riks: high
mode: deliver
build:
  steps:
    - name: a
      run: true
      needs: [b]
      secrets: {x: 1}
    - name: b
      run: x
      needs: [a]
      timeout: 30
      env: {A-B: "1", VERSION: 1.10}
runtime:
  comand: ./serve
  artifact: shpo
stages:
  - name: staging
    environment: stagign
    deploy: {shares: [5%, 5%]}
mode: deployment
"""
    assert problems(text) == [
        '1:10: "My Shop" is not the name of a service: lower-case letters, digits and hyphens, at most 63'
        ' (did you mean "my-shop"?)',
        '2:1: unknown key "riks" (did you mean "risk"?)',
        '3:7: "deliver" is none of "delivery", "deployment" (did you mean "delivery"?)',
        '7:12: expected a command, found the word true, which YAML reads as yes or no (write it in quotes: "true")',
        '8:15: nothing can begin, each needs the next: "a" → "b" → "a"',
        '9:7: "secrets" does not belong here (a build step gets no environment\'s secrets; what needs them belongs to'
        " a stage)",
        "13:16: '30' is not a duration; write one like 30s, 10m, 2h or 3d",
        '14:13: "A-B" is not the name of an environment variable: letters, digits and _',
        '14:32: expected text, found the number 1.1 (write it in quotes: "1.10")',
        '16:3: "command" is missing (in runtime)',
        '16:3: unknown key "comand" (did you mean "command"?)',
        '17:13: no build step makes the artifact "shpo" (add "artifacts" to the step that makes it)',
        '20:18: there is no environment "stagign" (did you mean "staging"?)',
        '21:14: "shares" belongs to a canary; the strategy here is blue-green (add "strategy: canary")',
        "21:27: 5% is not more than 5% before it (shares must grow)",
        '22:1: the key "mode" is here twice; the first is in line 3',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("▸just words", 'expected keys with values, found the text "just words"'),
        ("▸- a", "expected keys with values, found a list"),
        (HEAD + "▸team:\n", '"team" has no value (write one, or remove it)'),
        (HEAD + "team: ▸[a]", "expected the name of a team"),
        (HEAD + "stages: ▸x", 'expected a list, found the text "x" (write [x])'),
        (HEAD + "risk: ▸hihg", '"hihg" is none of "low", "standard", "high" (did you mean "high"?)'),
        (HEAD + "path: ▸../x", '"../x" leads out of the checkout'),
        (HEAD + "path: ▸/x", '"/x" is not a path below the checkout'),
        (HEAD + "branch: ▸--upload-pack=x", '"--upload-pack=x" cannot be the name of a branch'),
        (HEAD + "▸environments: {}", '"environments" does not belong here (environments live in the server'),
        (HEAD + "▸zzz: 1", 'unknown key "zzz" (known here: "service", "team", '),
        ("▸build: {steps: [{name: a, run: x}]}", '"service" is missing'),
        ("▸service: shop", '"build" is missing'),
        ("service: shop\nbuild: {steps: ▸[]}", '"steps" is empty (name at least one'),
        ("service: shop\nbuild: ▸{}", '"steps" is missing (in build)'),
    ],
)
def test_a_mistake_at_the_top_is_told(text: str, problem: str) -> None:
    assert_told(text, problem)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("▸{name: a}", '"run" is missing (in build.steps[1])'),
        ("{name: a, run: ▸''}", "the command is empty"),
        ("{name: ▸' a', run: x}", "a name is one line of 1 to 100 characters without spaces around it"),
        ("{name: a, run: x, needs: [▸b]}", 'there is no step "b" (there are "a")'),
        ("{name: a, run: x, needs: [▸a]}", 'nothing can begin, each needs the next: "a" → "a"'),
        ("{name: a, run: x, needs: ▸b}", 'expected a list, found the text "b" (write [b])'),
        ("{name: a, run: x, timeout: ▸0s}", "'0s' is no time at all"),
        ("{name: a, run: x, timeout: ▸999999999999d}", "'999999999999d' is"),
        ("{name: a, run: x, retry: {attempts: ▸0}}", "0 is out of range: attempts is at least 1"),
        ("{name: a, run: x, retry: {attempts: ▸'2'}}", 'expected a whole number, found the text "2"'),
        ("{name: a, run: x, retry: {causes: [▸lsot]}}", '"lsot" is none of "lost", "timeout", "failed" (did you'),
        ("{name: a, run: x, retry: {causes: ▸[]}}", '"causes" is empty'),
        ("{name: a, run: x, env: {▸TIDEGATE_URL: x}}", '"TIDEGATE_URL" is set by Tidegate'),
        ("{name: a, run: x, artifacts: {▸a/b: x}}", '"a/b" is not the name of an artifact'),
        ("{name: a, run: x, artifacts: {a: ▸../x}}", '"../x" leads out of the checkout'),
        ("{name: a, run: x, reports: {junit: ▸.}}", '"." is a folder, not a file'),
        ("{name: a, run: x, ▸secrets: [X]}", '"secrets" does not belong here (a build step gets no'),
    ],
)
def test_a_mistake_in_a_step_is_told(step: str, problem: str) -> None:
    assert_told("{service: shop, build: {steps: [" + step + "]}}", problem)


@pytest.mark.parametrize(
    ("runtime", "problem"),
    [
        ("command: x, artifact: ▸shpo", 'no build step makes the artifact "shpo" (did you mean "shop"?)'),
        ("command: x, ▸image: y", '"image" is not supported yet'),
        ("command: x, instances: ▸0", "0 is out of range: instances is at least 1"),
        ("command: x, instances: ▸true", "expected a whole number, found the word true"),
        ("command: x, mixed_versions: ▸yes", 'expected true or false, found the text "yes"'),
        ("command: x, health: {path: ▸//evil/x}", '"//evil/x" is not a path of a URL'),
        ("command: x, health: {within: ▸soon}", "'soon' is not a duration"),
        ("command: x, env: {▸PORT: '1'}", '"PORT" is set by Tidegate'),
        ("command: x, env: {A: 'b'}, secrets: [▸A]", '"A" is in "env" already'),
        ("command: x, secrets: [A, ▸A]", '"A" is here twice'),
    ],
)
def test_a_mistake_in_the_runtime_is_told(runtime: str, problem: str) -> None:
    assert_told(f"{HEAD}runtime: {{{runtime}}}\n", problem)


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        ("name: ▸build", 'a stage cannot be called "build"'),
        ("name: a, needs: [▸build]", 'there is no stage "build" (every stage needs the build anyway: remove it)'),
        ("name: a, gate: {approvals: {count: ▸0}}", "0 is out of range: count is at least 1"),
        ("name: a, gate: {approvals: {expires: ▸0s}}", "'0s' is no time at all"),
        ("name: a, gate: {policy: ▸true}", "expected an expression, found the word true"),
        ("name: a, gate: {policy: ▸relaese.order > 1}", 'there is no "relaese" here (did you mean "release"?)'),
        (
            "name: a, gate: {policy: 'release.tests.▸faild == 0'}",
            'release.tests has no "faild" (did you mean "fai',
        ),
        (
            "name: a, gate: {policy: release.tests.failed ▸== '0'}",
            "a whole number never equals a text (write 0",
        ),
        ('name: a, gate: {policy: "service.risk == \\▸"hgih\\""}', 'it is never "hgih" (did you mean "high"?)'),
        ("name: a, gate: {policy: 'stages.▸b.state == \"passed\"'}", 'the pipeline has no stage "b" (known here: "a")'),
        ("name: a, gate: {policy: [▸{name: x}]}", '"expression" is missing'),
        ("name: a, gate: {policy: [{name: x, expression: ▸'now'}]}", "the expression says a moment, neither true nor"),
        (
            "name: a, gate: {policy: [{expression: 'true', ▸mesage: x}]}",
            'unknown key "mesage" (did you mean "mes',
        ),
        (
            "name: a, gate: {policy: [{name: x, expression: 'true'}, {name: ▸x, expression: 'true'}]}",
            'a second policy "x" at this gate (give each its own name)',
        ),
        ("name: a, deploy: {strategy: ▸cnary}", '"cnary" is none of "rolling", "canary", "blue-green" (did'),
        ("name: a, deploy: {strategy: ▸recreate}", '"recreate" is not supported yet (use one of "rolling"'),
        ("name: a, deploy: {strategy: rolling, ▸shares: [5%]}", '"shares" belongs to a canary; the strategy'),
        ("name: a, deploy: {strategy: rolling}, verify: {blind: ▸baseline}", "a rolling deployment leaves no old one"),
        ("name: a, deploy: {hooks: {after_rollback: ▸[]}}", '"after_rollback" is empty (name at least one'),
        (
            "name: a, deploy: {hooks: {▸after_deploy: [], after_rollback: [{name: b, run: c}]}}",
            '"after_deploy" does not belong here (what runs after the new',
        ),
        (
            "name: a, deploy: {hooks: {after_rollback: [{name: b, run: c, needs: [▸d]}]}}",
            'there is no step "d"',
        ),
        (
            "name: a, deploy: {hooks: {after_rollback: [{name: b, run: c, ▸irreversible: true}]}}",
            '"irreversible" does not belong here (it would bind the release that is back',
        ),
        ("name: a, deploy: {▸blind: hold}", '"blind" does not belong here (what happens while nobody'),
        ("name: a, verify: {▸usage: {x: 5%}}", '"usage" does not belong here (the use of a feature is a metric with'),
        ("name: a, verify: {▸adoption: {}}", '"adoption" does not belong here (the use of a feature is a metric with'),
        ("name: a, verify: {soak: 1h, at_most: ▸5m}", "at_most is shorter than soak"),
        ("name: a, verify: {traffic: {rate: ▸0/s}}", "'0/s' is not between 0 and 1000/s"),
        ("name: a, verify: {traffic: {rate: ▸5}}", "'5' is not a rate; write one like 5/s or 300/m"),
        ("name: a, verify: {objective: {availability: ▸100%}}", "'100%' is not between 0% and 100%"),
        ("name: a, verify: {metrics: {▸latancy: {tolerance: 5%}}}", 'unknown key "latancy" (did you mean "latency"?)'),
        ("name: a, verify: {metrics: {▸orders: {query: x}}}", 'the metric "orders" has no "source" (name one: "prom'),
        ("name: a, verify: {metrics: {▸errors: {tolerance: 5%}}}", '"errors" are always compared, from the router'),
        ("name: a, verify: {metrics: {▸1x: {source: command, command: [ls]}}}", '"1x" is not the name of a metric'),
        (
            "name: a, verify: {metrics: {x: {source: ▸promtheus}}}",
            '"promtheus" is none of "prometheus", "command" (did',
        ),
        ("name: a, verify: {metrics: {x: {source: ▸datadog}}}", '"datadog" is not supported yet (use one of "prom'),
        ("name: a, verify: {metrics: {x: {source: ▸prometheus}}}", 'a metric from "prometheus" needs "query"'),
        ("name: a, verify: {metrics: {x: {source: command, command: ▸ls}}}", 'expected a list, found the text "ls"'),
        ("name: a, verify: {metrics: {x: {source: command, command: [ls], ▸query: a}}}", '"query" belongs to a metric'),
        (
            "name: a, verify: {metrics: {x: {source: command, command: [sleep, ▸5]}}}",
            "expected a word of a command, fo",
        ),
        ("name: a, verify: {metrics: {x: {source: prometheus, query: ▸up}}}", "the query does not name $deployment"),
        (
            "name: a, verify: {metrics: {x: {source: prometheus, query: 'up{d=\"▸$deploment\"}'}}}",
            'there is no $deploment (did you mean "$deployment"?)',
        ),
        ("name: a, verify: {metrics: {x: {source: prometheus, query: $deployment, worse: ▸upp}}}", '"upp" is none of'),
        (
            "name: a, verify: {metrics: {x: {source: command, command: [ls], kind: values, ▸per: requests}}}",
            '"per" bel',
        ),
        (
            "name: a, verify: {metrics: {x: {source: command, command: [ls], kind: values, ▸usage: true}}}",
            '"usage" is a share of requests; the kind here is values',
        ),
        (
            "name: a, verify: {metrics: {x: {source: command, command: [ls], usage: true, ▸worse: up}}}",
            'more usage is no harm: "worse" is down where "usage" is true (remove it)',
        ),
        (
            "name: a, verify: {metrics: {x: {source: command, command: [ls], usage: true, tolerance: ▸100%}}}",
            "usage cannot drop by more than all of it (write a smaller drop, like 20%)",
        ),
        ("name: a, verify: {metrics: {x: {source: command, command: [ls], gate: ▸0.5}}}", "0.5 is out of range: gate"),
        ("name: a, verify: {metrics: {x: {source: command, command: [ls], ▸url: x}}}", '"url" does not belong here'),
        ("name: a, verify: {metrics: {latency: {quantiles: [0.9, ▸0.5]}}}", "0.5 is not more than 0.9 before"),
        ("name: a, verify: {metrics: {latency: {quantiles: [▸1.5]}}}", "1.5 is out of range"),
        ("name: a, steps: [{name: s, run: x, ▸artifacts: {a: b}}]", '"artifacts" does not belong here'),
        ("name: a, steps: [{name: s, run: x}, {name: ▸s, run: y}]", 'a second step with the name "s"'),
    ],
)
def test_a_mistake_in_a_stage_is_told(stage: str, problem: str) -> None:
    assert_told(f"{HEAD}{RUNTIME}stages:\n  - {{{stage}, environment: staging}}\n", problem)


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ("▸[]", '"shares" is empty'),
        ("[25%, ▸5%]", "5% is not more than 25% before it"),
        ("[▸5]", "'5' is not a percentage; write one like 5%"),
        ("[▸120%]", "a share lies between 0% and 100%, not at 120%"),
        ("[▸0%]", "'0%' is no traffic at all"),
        ("[▸0.001%]", "'0.001%' is finer than shares are"),
        ("[{approve: ▸0}, 5%]", "0 is out of range: approve is at least 1"),
        ("[▸{at_least: 5m}, 5%]", 'expected a share like 5%, "share" or "approve"'),
        ("[▸{share: 5%, approve: 1}]", '"share" and "approve" are two points'),
        ("[{▸aprove: 1, share: 5%}]", 'unknown key "aprove" (did you mean "approve"?)'),
        ("▸[{approve: 1}]", "a canary needs a share"),
        ("[▸100%]", "a canary needs a share below 100%"),
        ("[5%, 100%, ▸{approve: 1}]", "nothing can come after 100%"),
        ("[5%, {approve: 1}, ▸{approve: 1}]", "two approvals without a share between them"),
        ("[5%, {share: 100%, ▸at_least: 1m}]", "100% is the end of a rollout"),
    ],
)
def test_a_mistake_in_the_way_of_a_canary_is_told(shares: str, problem: str) -> None:
    stage = f"{{name: a, environment: staging, deploy: {{shares: {shares}}}}}"
    assert_told(f"{HEAD}risk: high\n{RUNTIME}stages: [{stage}]\n", problem)


def test_verification_is_given_the_time_of_all_shares_together() -> None:
    deploy = "deploy: {strategy: canary, shares: [{share: 5%, at_least: 20m}, {share: 50%, at_least: 20m}]}"
    stage = f"{{name: a, environment: staging, {deploy}, verify: {{at_most: ▸30m}}}}"
    assert_told(f"{HEAD}{RUNTIME}stages: [{stage}]\n", "at_most is shorter than the shares' at_least together")


def test_a_shares_list_for_the_default_strategy_says_which_strategy_that_is() -> None:
    stage = "  - {name: a, environment: staging, deploy: {shares: [5%]}}\n"
    (only,) = problems(f"{HEAD}{RUNTIME}stages:\n{stage}")
    assert only == '5:46: "shares" belongs to a canary; the strategy here is rolling (add "strategy: canary")'


def test_versions_that_must_not_mix_are_not_mixed_by_a_strategy() -> None:
    runtime = "runtime: {command: x, mixed_versions: false}\n"
    stage = "  - {name: a, environment: staging, deploy: {strategy: canary}}\n"
    (only,) = problems(f"{HEAD}{runtime}stages:\n{stage}")
    assert only.startswith('5:56: "canary" lets two versions serve beside each other')


def test_a_stage_can_only_deploy_and_verify_what_has_a_runtime() -> None:
    stages = "  - {name: a, environment: staging, deploy: {}, verify: {}}\n  - {name: b, environment: staging}\n"
    assert problems(f"{HEAD}stages:\n{stages}") == [
        '4:37: there is nothing to deploy: the file has no "runtime" (say in a "runtime" section how it runs)',
        '4:49: there is nothing to verify: the file has no "runtime" (say in a "runtime" section how it runs)',
        '5:5: the stage does nothing: it has no steps (add steps, or say in a "runtime" section how it runs)',
    ]


def test_what_cannot_be_undone_belongs_to_a_stage_that_deploys_and_comes_last() -> None:
    last = "{name: drop, run: x, irreversible: true}"
    stage = "stages: [{name: a, environment: staging, steps: ["
    alone = HEAD + stage + "{name: drop, run: x, ▸irreversible: true}]}]\n"
    assert_told(alone, "the stage deploys nothing that could not go back after it")
    before = f"{HEAD}{RUNTIME}{stage}{last}, {{name: b, run: x, needs: [▸drop]}}]}}]\n"
    assert_told(before, 'it needs "drop", which cannot be undone and therefore runs last')
    in_build = HEAD.replace("run: make test", "run: make test, ▸irreversible: true")
    assert_told(in_build, '"irreversible" does not belong here')
    resolved = load(f"{HEAD}{RUNTIME}{stage}{last}, {{name: b, run: x}}]}}]\n").stages[0]
    assert [(one.name, one.needs) for one in resolved.steps] == [("drop", ("b",)), ("b", ())]


def test_two_stages_of_one_name_are_told_with_the_line_of_the_first() -> None:
    stages = "  - {name: a, environment: staging}\n  - {name: a, environment: production}\n"
    assert problems(f"{HEAD}{RUNTIME}stages:\n{stages}") == [
        '6:12: a second stage with the name "a"; the first is in line 5 (give each its own name)'
    ]


def test_a_name_used_twice_is_not_told_as_a_cycle_as_well() -> None:
    stages = "".join(f"  - {{name: {name}, environment: staging}}\n" for name in "aba")
    (only,) = problems(f"{HEAD}{RUNTIME}stages:\n{stages}")
    assert 'a second stage with the name "a"' in only


def test_a_cycle_through_the_order_of_the_file_says_so() -> None:
    stages = "  - {name: a, environment: staging, needs: [b]}\n  - {name: b, environment: staging}\n"
    (only,) = problems(f"{HEAD}{RUNTIME}stages:\n{stages}")
    assert only.startswith("5:45: nothing can begin, each needs the next: ")
    assert only.endswith('("b" needs the stage before it because it names none; "needs: []" says none)')


def test_each_of_two_cycles_is_told() -> None:
    names = {"a": "b", "b": "a", "c": "d", "d": "c", "e": "a"}
    steps = ", ".join(f"{{name: {name}, run: x, needs: [{need}]}}" for name, need in names.items())
    cycles = problems(f"service: shop\nbuild: {{steps: [{steps}]}}\n")
    assert len(cycles) == 2
    assert all("nothing can begin" in cycle for cycle in cycles)


def test_a_need_named_twice_is_told() -> None:
    steps = "{name: a, run: x}, {name: b, run: x, needs: [a, a]}"
    (only,) = problems(f"service: shop\nbuild: {{steps: [{steps}]}}\n")
    assert only == '2:65: "a" is here twice (remove one)'


def test_two_steps_cannot_make_the_same_artifact() -> None:
    steps = "{name: a, run: x, artifacts: {s: a}}, {name: b, run: x, artifacts: {s: b}}"
    (only,) = problems(f"service: shop\nbuild: {{steps: [{steps}]}}\n")
    assert only == '2:85: a second artifact with the name "s"; the first is made by "a" (give each its own name)'


def test_without_known_environments_their_names_are_not_checked() -> None:
    stages = "stages: [{name: a, environment: anywhere}]\n"
    assert load(HEAD + RUNTIME + stages).stages[0].environment == "anywhere"


def test_a_message_is_one_line_whatever_the_file_says() -> None:
    (only,) = problems(HEAD + 'risk: "' + "x\\n\\e[31m" * 500 + '"')
    assert "\n" not in only
    assert "\x1b" not in only
    assert len(only) < 900


def test_keys_of_the_format_that_come_later_are_known_in_every_section_and_refused() -> None:
    later = ("template", "with", "schedule", "flags")
    text = HEAD + "".join(f"{key}: {{a: }}\n" for key in later)
    assert problems(text) == [
        f'{line}:1: "{key}" is not supported yet (remove it)' for line, key in enumerate(later, start=3)
    ]
    assert not PipelineSection.not_yet & set(PipelineSection.model_fields)


def test_a_file_with_thousands_of_mistakes_is_answered_quickly_with_the_first_of_them() -> None:
    names = ", ".join(f"{{name: step-{index}, run: x, needs: [stop-{index}]}}" for index in range(1500))
    keys = "".join(f"unknwn{index}: 1\n" for index in range(1500))
    begin = time.process_time()
    found = problems(f"service: shop\nbuild: {{steps: [{names}]}}\n{keys}")
    assert time.process_time() - begin < 15, "seconds of processor time"
    assert len(found) == MOST_PROBLEMS + 1
    assert any("this and more is wrong (repair the others first)" in problem for problem in found)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("▸{faults: [errors]}", 'expected "every", or "cron" with its "timezone" (write {every: 7d}, or'),
        ("{every: 7d, faults: [▸error]}", '"error" is none of "errors", "slow"'),
        ("{every: 7d, quick: ▸0.5}", "0.5 is out of range: quick is at least 1"),
        ("{every: 7d, traffic: ▸20}", "'20' is not a rate"),
        ("{every: 7d, ▸fault: [errors]}", 'unknown key "fault" (did you mean "faults"?)'),
        ("{every: 7d, stand_ins: {▸KEI: x}}", '"KEI" is no secret of "runtime" (other variables belong to "env"'),
    ],
)
def test_what_is_wrong_with_rehearsals_is_told(written: str, message: str) -> None:
    stages = "stages: [{name: production, environment: production}]\n"
    assert_told(f"{HEAD}{RUNTIME}{stages}rehearsals: {written}\n", message)


def test_a_rehearsal_needs_what_it_deploys_and_values_that_stand_in_for_its_secrets() -> None:
    assert_told(f"{HEAD}▸rehearsals: {{every: 7d}}\n", "there is nothing to rehearse: the pipeline deploys nothing")
    runtime = RUNTIME.replace("instances: 2", "secrets: [KEY, PASSWORD]")
    text = f"{HEAD}{runtime}stages: [{{name: production, environment: production}}]\n"
    told = (
        'a rehearsal gets no secrets of an environment, and nothing stands in for "PASSWORD" (write values that will do'
    )
    assert_told(f"{text}▸rehearsals: {{every: 7d, stand_ins: {{KEY: x}}}}\n", told)
