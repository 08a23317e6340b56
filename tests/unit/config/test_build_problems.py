"""What is said about a build that is wrong: its files, matrices, services and conditions."""

from __future__ import annotations

import pytest
from tests.unit.config.test_tidegate_yaml_problems import assert_told, problems

from tidegate.config.matrix_consistency import MOST_NEEDS
from tidegate.config.tidegate_yaml import load


def of_step(keys: str, *others: str) -> str:
    steps = ", ".join(["{name: a, run: x, " + keys + "}", *others])
    return "{service: shop, build: {steps: [" + steps + "]}}"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("inputs: ▸[]", '"inputs" is empty (name at least one'),
        ("inputs: [▸../x]", '"../x" leads out of the checkout'),
        ("inputs: [▸/x]", '"/x" is not a path below the checkout'),
        ("inputs: [a, ▸a]", '"a" is here twice (remove one)'),
        ("inputs: [▸'!a']", '"!a" takes nothing away: no files are named before it (name inputs first'),
        ("inputs: [▸'!a', b]", '"!a" takes nothing away: no files are named before it (put it after'),
        ("inputs: [$TIDEGATE_COMMIT, ▸'!a']", '"!a" takes nothing away'),
        ("inputs: [a, ▸'!!a']", '"!!a": a "!" has no meaning here'),
        ("inputs: [▸'src/*.{ts,js}']", '"src/*.{ts,js}": {…,…} has no meaning in a pattern'),
        ("inputs: [▸.git/HEAD]", '".git/HEAD" is git\'s own folder'),
        ("inputs: [▸'**/a/**/b/**']", '"**/a/**/b/**" has "**" more than twice'),
        ("inputs: [▸$A-B]", '"$A-B" is no variable'),
        (
            "inputs: [▸$TIDEGATE_COMIT]",
            'the step is told no variable "TIDEGATE_COMIT" (did you mean "TIDEGATE_COMMIT"?)',
        ),
        ("inputs: [▸$HOME]", 'the step is told no variable "HOME" (there are "TIDEGATE_COMMIT"'),
        ("outputs: [▸'**']", '"**" is the whole checkout'),
        ("outputs: [▸.]", '"." is the whole checkout'),
        ("outputs: [▸../x]", '"../x" leads out of the checkout'),
        ("outputs: [▸$X/..]", '"$X/.." leads out of the checkout'),
        ("cache: ▸{}", '"paths" is missing'),
        ("cache: {paths: [▸.]}", '"." is the whole checkout'),
        ("cache: {paths: [▸'.cache/*']}", '".cache/*" has a wildcard'),
        ("cache: {paths: [▸/root/.cache]}", '"/root/.cache" is not a path below'),
        ("cache: {paths: [a, ▸a]}", '"a" is here twice'),
        ("cache: {paths: [a, ▸a/b]}", '"a/b" and "a" hold the same files'),
        ("cache: {paths: [a], key: [▸'!b']}", '"!b": a "!" has no meaning here'),
        ("cache: {paths: [a], key: [b, ▸b]}", '"b" is here twice'),
        ("outputs: [out], cache: {paths: [▸out/x]}", '"out/x" is kept as the output "out" already'),
        ("outputs: ['a/b/*.whl'], cache: {paths: [▸a]}", '"a" is kept as the output "a/b/*.whl" already'),
        ("working_directory: ▸../x", '"../x" leads out of the checkout'),
        ("allow_failure: ▸yes", 'expected true or false, found the text "yes"'),
        (
            "image: ▸Python",
            '"Python" is not the name of an image, like docker.io/library/python:3.12 (did you mean "pyt',
        ),
        ("image: ▸'--privileged'", '"--privileged" is not the name of an image'),
        ("image: ▸''", '"" is not the name of an image'),
        ("▸failed_first: again", '"failed_first" needs a report that says which tests failed (have the step write'),
        ("▸failed_first: again, reports: {coverage: c.xml}", '"failed_first" needs a report'),
        ("failed_first: ▸'', reports: {junit: u.xml}", "the command is empty"),
        ("labels: [gpu, ▸gpu]", '"gpu" is here twice'),
        ("labels: [▸a b]", '"a b" is not a label'),
        ("concurrency: {group: a, limit: ▸0}", "0 is out of range: limit is at least 1"),
        ("concurrency: ▸{limit: 2}", '"group" is missing'),
        ("▸working_dir: x", 'unknown key "working_dir" (did you mean "working_directory"?)'),
        ("▸iff: x", 'unknown key "iff" (did you mean "if"?)'),
    ],
)
def test_a_mistake_in_what_a_step_depends_on_is_told(keys: str, problem: str) -> None:
    assert_told(of_step(keys), problem)


def test_a_cache_beside_outputs_that_lie_elsewhere_is_no_mistake() -> None:
    load(of_step("outputs: ['*.whl', 'dist/**', '!dist/tmp'], cache: {paths: [.cache, distribution, dist-tmp]}"))


def test_variables_of_the_step_itself_may_be_named_among_its_inputs() -> None:
    load(of_step("inputs: [$A, $B, $TIDEGATE_BRANCH], env: {A: x}, matrix: {B: [y]}"))


@pytest.mark.parametrize(
    ("setup", "problem"),
    [
        ("{▸inptus: [a], run: x}", 'unknown key "inptus" (did you mean "inputs"?)'),
        ("▸{inputs: [a]}", '"run" is missing (in build.setup)'),
        ("▸5", "expected a command, found the number 5"),
        ("▸''", "the command is empty"),
        ("{run: x, inputs: [▸$A]}", '"$A" is a variable, and setup is told none'),
        ("{run: x, ▸outputs: [a]}", '"outputs" of setup are kept only together with "inputs"'),
        ("{run: x, inputs: [b], outputs: [a], cache: {paths: [▸a/b]}}", '"a/b" is kept as the output "a" already'),
        ("{run: x, inputs: [a, ▸a]}", '"a" is here twice'),
    ],
)
def test_a_mistake_in_the_setup_is_told(setup: str, problem: str) -> None:
    assert_told("{service: shop, build: {setup: " + setup + ", steps: [{name: a, run: x}]}}", problem)


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        ("outdated: ▸cancle", '"cancle" is none of "finish", "cancel" (did you mean "cancel"?)'),
        ("image: ▸a b", '"a b" is not the name of an image'),
        ("▸matrix: {A: [1]}", '"matrix" is not supported yet'),
        ("▸services: {}", '"services" is not supported yet'),
    ],
)
def test_a_mistake_in_the_build_is_told(build: str, problem: str) -> None:
    assert_told("{service: shop, build: {" + build + ", steps: [{name: a, run: x}]}}", problem)


LONG = "x" * 98


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        ("▸{}", '"matrix" is empty'),
        ("{A: ▸[]}", '"A" is empty'),
        ("{A: ▸x}", 'expected a list, found the text "x" (write [x])'),
        ("{A: [x, ▸x]}", '"x" is here twice'),
        ("{A: [1, ▸'1']}", '"1" is here twice'),
        ("{A: [▸3.10]}", 'the number 3.10 would become 3.1 (write it in quotes: "3.10")'),
        ("{A: [▸010]}", 'the number 010 would become 10 (write it in quotes: "010")'),
        (
            "{A: [▸true]}",
            "expected a text or a number, found the word true, which YAML reads as yes or no (write it in",
        ),
        ("{A: [▸[x]]}", "expected a text or a number, found a list"),
        ("{A: [▸' x']}", "a value is one line of 1 to 100 characters"),
        ("{▸A-B: [x]}", '"A-B" is not the name of an environment variable'),
        ("{▸TIDEGATE_X: [x]}", '"TIDEGATE_X" is set by Tidegate'),
        ("{▸ENV: [x]}", '"ENV" is in "env" already'),
        ("{image: [▸A b]}", '"A b" is not the name of an image'),
        (
            "{A: [x], exlude: [▸{A: x}]}",
            'expected a text or a number, found keys with values (did you mean "exclude"?)',
        ),
        ("{A: [x, y], exclude: [▸x]}", "expected keys with values, like {PYTHON"),
        ("{A: [x, y], exclude: [▸{}]}", "this leaves nothing out"),
        ("{PYTHON: [x, y], exclude: [{▸PYTHN: x}]}", 'the matrix has no "PYTHN" (did you mean "PYTHON"?)'),
        ("{A: [main, next], exclude: [{A: ▸mian}]}", '"A" has no value "mian" (did you mean "main"?)'),
        ("{A: [x], ▸exclude: [{A: x}]}", "every combination is left out"),
    ],
)
def test_a_mistake_in_a_matrix_is_told(matrix: str, problem: str) -> None:
    assert_told(of_step(f"env: {{ENV: x}}, matrix: {matrix}"), problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (of_step("▸matrix: {A: [" + ", ".join(map(str, range(257))) + "]}"), "257 combinations; the limit is 256"),
        (of_step("image: x, matrix: {▸image: [y]}"), 'the step has an "image" already'),
        (of_step("matrix: {A: [1, 2]}, ▸artifacts: {s: x}"), "a step that is many cannot make artifacts"),
        (
            of_step("▸matrix: {A: [b]}", '{name: "a (b)", run: x}'),
            'a combination makes a second step with the name "a (b)"',
        ),
        (
            of_step("▸matrix: {A: ['x', 'x, y'], B: ['y, z', z]}"),
            'a combination makes a second step with the name "a (',
        ),
        (of_step(f"▸matrix: {{A: [{LONG}]}}"), 'a combination makes the name "a (xxx'),
        (of_step("matrix: {A: [1, 2]}", '{name: b, run: x, needs: [▸"a (3)"]}'), 'there is no step "a (3)" (did you'),
        (of_step("needs: [▸'b (1)']", "{name: b, run: x, needs: [a], matrix: {A: [1, 2]}}"), "nothing can begin, each"),
    ],
)
def test_a_matrix_that_does_not_fit_its_neighbours_is_told(text: str, problem: str) -> None:
    assert_told(text, problem)


def test_a_matrix_without_a_variable_is_told() -> None:
    found = problems(of_step("matrix: {exclude: [{A: x}]}"))
    assert any("the matrix has no variable (name one with its values)" in one for one in found)


def test_matrices_cannot_make_a_small_file_large() -> None:
    values = ", ".join(str(value) for value in range(200))
    many = ", ".join(f"{{name: s{index}, run: x, matrix: {{A: [{values}]}}}}" for index in range(6))
    (only,) = problems(f"{{service: shop, build: {{steps: [{many}]}}}}")
    assert "with their matrices these are 1,200 steps; the limit is 1,000" in only
    row = ", ".join(
        f"{{name: s{index}, run: x, needs: [{f's{index - 1}' if index else ''}], matrix: {{A: [{values}]}}}}"
        for index in range(5)
    )
    (only,) = problems(f"{{service: shop, build: {{steps: [{row}]}}}}")
    assert f"with their matrices these are 160,000 needs; the limit is {MOST_NEEDS:,}" in only


@pytest.mark.parametrize(
    ("services", "problem"),
    [
        (
            "{▸DB: {image: x, port: 1}}",
            '"DB" is not the name of a service beside a step: lower-case letters, digits, "_"',
        ),
        ("{▸tidegate-x: {image: x, port: 1}}", '"tidegate-x": names that begin with "tidegate" are Tidegate\'s own'),
        ("{db: ▸{image: x}}", '"port" is missing (in build.steps[1].services.db)'),
        ("{db: ▸{port: 1}}", '"image" is missing (in build.steps[1].services.db)'),
        ("{db: {image: x, port: ▸70000}}", "70000 is out of range: port is at most 65535"),
        ("{db: {image: x, port: 1, ▸helth: {}}}", 'unknown key "helth" (did you mean "health"?)'),
        ("{db: {image: x, port: 1, health: {within: ▸0s}}}", "'0s' is no time at all"),
        ("{db: {image: x, port: 1, env: {▸A-B: x}}}", '"A-B" is not the name of an environment variable'),
        ("{a-b: {image: x, port: 1}, ▸a_b: {image: x, port: 1}}", '"a_b" and "a-b" are both found at $A_B_HOST'),
        ("{▸host-db: {image: x, port: 1}}", "the variable HOST_DB_PORT says where"),
        ("{▸of-matrix: {image: x, port: 1}}", "the variable OF_MATRIX_HOST says where"),
    ],
)
def test_a_mistake_in_services_is_told(services: str, problem: str) -> None:
    assert_told(of_step(f"env: {{HOST_DB_PORT: '1'}}, matrix: {{OF_MATRIX_HOST: [x]}}, services: {services}"), problem)


def test_a_group_has_one_limit_in_the_whole_file() -> None:
    other = "{name: b, run: x, concurrency: {group: g, limit: ▸3}}"
    assert_told(of_step("concurrency: {group: g, limit: 2}", other), 'the limit of the group "g" is 2 in line 1, and 3')
    stage = "stages: [{name: s, environment: staging, steps: [{name: b, run: x, concurrency: {group: ▸g}}]}]"
    text = of_step("concurrency: {group: g, limit: 2}")
    assert_told(text[:-1] + ", " + stage + "}", 'the limit of the group "g" is 2 in line 1, and 1')


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("▸true", "expected an expression, found the word true, which YAML reads as yes or no (write it in quotes"),
        ("▸brnch == 'main'", 'there is no "brnch" here (did you mean "branch"?)'),
        ("branch ==▸", "this is not an expression: mismatched input 'the end' at character 10"),
        ("needs.▸lnit.cached", 'the step does not need "lnit" (did you mean "lint"?)'),
        ("needs.▸other.cached", 'the step does not need "other" (known here: "lint", "tests (1)", "tests (2)")'),
        ("\"needs[▸'tests'].cached\"", 'the step does not need "tests" (did you mean "tests (2)"?)'),
        ("needs.lint.▸statsu == 'failed'", 'a needed step has no "statsu" (did you mean "status"?)'),
        ("branch.▸startWith('x')", 'there is no function "startWith" (did you mean "startsWith"?)'),
        ("▸branch", "the expression says a text, neither true nor false"),
        ("'changed.▸map(f, f) == changed'", '"map" cannot be used: it makes something new'),
    ],
)
def test_a_mistake_in_a_condition_is_told(expression: str, problem: str) -> None:
    others = "{name: lint, run: x}, {name: tests, run: x, matrix: {A: [1, 2]}}, {name: other, run: x}"
    assert_told(of_step(f"needs: [lint, tests], if: {expression}", others), problem)


def test_a_condition_may_ask_about_each_step_of_a_matrix_that_is_needed() -> None:
    tests = "{name: tests, run: x, matrix: {A: [1, 2]}}"
    load(of_step('needs: [tests], if: \'needs["tests (2)"].status == "failed"\'', tests))


def test_what_a_stages_step_cannot_have_is_refused_with_the_reason() -> None:
    stage = (
        "stages: [{name: s, environment: staging, steps: [{name: b, run: x, inputs: [a], outputs: [b], cache: {}}]}]"
    )
    found = problems(of_step("env: {}")[:-1] + ", " + stage + "}")
    assert len(found) == 3
    for key, one in zip(("inputs", "outputs", "cache"), found, strict=True):
        assert (
            f'"{key}" does not belong here (a stage\'s steps always run: what they test is outside of the commit)'
            in one
        )
