"""What a user relies on in commands that need no server: validate, schema and init."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.cli.command_line import Command
from tests.integration.cli.contract_server import ContractServer

Git = Callable[..., str]

GOOD = """\
service: shop
build:
  steps:
    - {name: unit tests, run: make test}
"""
CANARY = """\
service: shop
build: {steps: [{name: package, run: make, artifacts: {shop: "*.txt"}}]}
runtime: {artifact: shop, command: ./shop}
stages:
  - name: production
    environment: production
    deploy: {strategy: canary, shares: [5%, 50%]}
    verify: {at_most: 30m}
"""
BAD = """\
service: shop
risk: hihg
build:
  stesp:
    - {name: unit tests, run: make test}
"""


@pytest.fixture
def repository(place: Path, git: Git) -> Path:
    folder = place / "shop"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def test_a_valid_file_is_said_to_be_so(alone: Command) -> None:
    (alone.cwd / "tidegate.yaml").write_text(GOOD)
    ended = alone("validate")
    assert ended.code == 0
    assert ended.out == "tidegate.yaml is valid: service shop, 1 build step, no stages\n"
    assert alone("validate", ".", "--json").document == {
        "file": "tidegate.yaml",
        "ok": True,
        "problems": [],
        "notes": [],
    }
    assert alone("validate", "-", stdin=GOOD).code == 0


def test_validate_names_what_the_mode_that_a_file_wishes_lacks(alone: Command) -> None:
    file = alone.cwd / "tidegate.yaml"
    stage = "stages: [{name: production, environment: production}]"
    run = "runtime: {command: ./serve}"
    file.write_text(f"service: shop\nmode: deployment\nbuild: {{steps: [{{name: make, run: make}}]}}\n{run}\n{stage}\n")
    ended = alone("validate")
    assert ended.code == 0
    for lack in ("no step of the build runs automated tests", "no earlier stage", "the deployment is not verified"):
        assert f"note: production: {lack}" in ended.out
    assert len(alone("validate", "--json").document["notes"]) == 3


def test_validate_names_an_environment_that_only_a_configured_server_has(alone: Command) -> None:
    file = alone.cwd / "tidegate.yaml"
    file.write_text(f"{GOOD}\nruntime: {{command: ./serve}}\nstages: [{{name: live, environment: prodution}}]\n")
    ended = alone("validate")
    assert ended.code == 0
    assert 'note: the environment "prodution" is there where tidegate-server.yaml says so' in ended.out
    assert '(did you mean "production"?)' in ended.out


def test_validate_says_that_a_rehearsal_takes_too_long_to_come_to_its_end(alone: Command) -> None:
    file = alone.cwd / "tidegate.yaml"
    watched = CANARY.replace("{at_most: 30m}", "{at_most: 30m, watch: 1h}")
    file.write_text(watched + "rehearsals: {every: 7d}\n")
    ended = alone("validate")
    assert ended.code == 0
    assert "note: a rehearsal may take up to 15h 45m with 8 faults, and a rollout in a protected" in ended.out
    file.write_text(watched + "rehearsals: {every: 7d, quick: 10}\n")
    assert "a rehearsal may take" not in alone("validate").out
    file.write_text(watched + "rehearsals: {every: 2h, quick: 10}\n")
    assert "a rehearsal may take up to 3h 36m with 8 faults" in alone("validate").out


def test_validate_says_what_a_load_check_asks_for_and_who_would_refuse_it(alone: Command) -> None:
    file = alone.cwd / "tidegate.yaml"
    load = "verify: {load: {multiple: 3, at_least: 20/s}}"
    stage = f"{{name: staging, environment: staging, {load}}}, {{name: live, environment: production}}"
    file.write_text(f"{GOOD}\nruntime: {{command: ./serve}}\nstages: [{stage}]\n")
    ended = alone("validate")
    assert ended.code == 0
    assert (
        "note: staging: its load check asks for 3 times the busiest minute of the last week in production" in ended.out
    )
    assert "20 requests/s at least, within 2m; it needs Locust where its agent runs" in ended.out
    assert "refuses the load check" not in ended.out
    file.write_text(
        file.read_text()
        .replace("environment: staging", "environment: production")
        .replace("load: {", "load: {of: staging, ")
    )
    assert (
        "note: staging: a server where production is protected, as it is without a word, ref" in alone("validate").out
    )


def test_validate_foretells_what_a_canary_can_show_at_the_traffic_that_is_asked_about(alone: Command) -> None:
    (alone.cwd / "tidegate.yaml").write_text(CANARY)
    ended = alone("validate", "--traffic", "20/m", "--errors", "1%")
    assert ended.code == 0
    assert "note: production: at 20 requests a minute of which 1% fail, 5% shows within 30m when" in ended.out
    assert "note: production: what would show more: larger shares (50%)" in ended.out
    assert len(alone("validate", "--traffic", "20/m", "--json").document["notes"]) == 2
    assert "traffic" not in alone("validate").out
    for wrong in (("--traffic", "20"), ("--traffic", "20/m", "--errors", "one")):
        ended = alone("validate", *wrong)
        assert ended.code == 2
        assert "next: tidegate validate --traffic 20/m --errors 0.1%" in ended.err


def test_validate_foretells_by_last_weeks_traffic_where_a_server_knows_it(
    tidegate: Command, contract: ContractServer
) -> None:
    (tidegate.cwd / "tidegate.yaml").write_text(CANARY)
    counted = {"environment": "production", "since": "2026-11-01T00:00:00Z", "per_minute": 600.0}
    contract.answer("GET", "/services/shop/traffic", [{**counted, "requests": 100_000, "errors": 100}])
    assert "note: production: at 600 requests a minute of which 0.1% fail" in tidegate("validate").out
    contract.answer("GET", "/services/shop/traffic", [{**counted, "requests": 20, "errors": 0}])
    assert "a minute" not in tidegate("validate").out
    contract.refuse("GET", "/services/shop/traffic", 404, "there is no service shop")
    assert tidegate("validate").code == 0


def test_all_problems_come_at_once_with_their_places(alone: Command) -> None:
    (alone.cwd / "tidegate.yaml").write_text(BAD)
    ended = alone("validate")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert any(line.startswith("tidegate.yaml:2:7: ") and '"high"' in line for line in lines)
    assert any(line.startswith("tidegate.yaml:4:3: ") and '"steps"' in line for line in lines)
    document = alone("validate", "--json").document
    assert document["ok"] is False
    assert {(one["line"], one["column"]) for one in document["problems"]} >= {(2, 7), (4, 3)}


def test_a_file_that_is_no_yaml_or_no_text_is_a_problem_and_no_traceback(alone: Command) -> None:
    (alone.cwd / "tidegate.yaml").write_text("service: [")
    assert alone("validate").code == 1
    (alone.cwd / "tidegate.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in alone("validate").out


def test_a_file_that_is_not_there_is_wrong_usage(alone: Command) -> None:
    ended = alone("validate")
    assert ended.code == 2
    assert "next: tidegate init" in ended.err


def test_the_schema_is_one_json_document(alone: Command) -> None:
    assert alone("schema").document["$schema"].startswith("https://json-schema.org/")
    assert alone("schema", "--server", "--json").document["title"] == "tidegate-server.yaml"


def test_init_writes_a_file_that_is_valid_and_says_how_to_go_on(alone: Command, repository: Path) -> None:
    alone.cwd = repository
    ended = alone("init")
    assert ended.code == 0
    for command in (
        'git add tidegate.yaml && git commit -m "Add tidegate.yaml"',
        "tidegate server",
        "tidegate service add .",
    ):
        assert f"  {command}" in ended.out
    assert "service: shop" in (repository / "tidegate.yaml").read_text()
    assert alone("validate").code == 0


def test_init_names_the_service_as_it_is_told(alone: Command, repository: Path) -> None:
    alone.cwd = repository
    document = alone("init", "--service", "checkout", "--json").document
    assert document["file"] == str(repository / "tidegate.yaml")
    assert document["next"][-1] == "tidegate service add ."
    assert "service: checkout" in (repository / "tidegate.yaml").read_text()


def test_init_never_overwrites_what_is_there(alone: Command, repository: Path) -> None:
    alone.cwd = repository
    (repository / "tidegate.yaml").write_text("mine\n")
    ended = alone("init")
    assert ended.code == 3
    assert (repository / "tidegate.yaml").read_text() == "mine\n"
    assert alone("init", "--force").code == 0
    assert (repository / "tidegate.yaml").read_text() != "mine\n"
    assert [path.name for path in repository.iterdir() if path.name != ".git"] == ["tidegate.yaml"]


def test_init_outside_of_a_repository_says_git_init(alone: Command) -> None:
    ended = alone("init")
    assert ended.code == 2
    assert "next: git init" in ended.err
    assert not (alone.cwd / "tidegate.yaml").exists()


def test_init_in_a_folder_of_a_monorepo_says_how_to_add_it(alone: Command, repository: Path) -> None:
    inner = repository / "services" / "cart"
    inner.mkdir(parents=True)
    alone.cwd = inner
    assert f"tidegate service add {repository} --path services/cart" in alone("init").out
