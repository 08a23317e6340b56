"""What a step and a deployed service find in their environment, and what a build never learns."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.model.builders import NEW, RUN, a_deployment, a_pipeline, a_run, a_runtime, a_step, a_step_run, serving

from tidegate.model.ids import Generation, ReleaseId
from tidegate.model.step_environment import address_of, service_environment, step_environment

ADDRESS = "http://127.0.0.1:8600"


def built_environment(**env: str) -> dict[str, str]:
    run = a_run(a_pipeline())
    return step_environment(run, a_step_run(a_step("test", env=env), attempt=2), "production", ADDRESS)


def test_a_step_learns_what_it_is_about() -> None:
    env = built_environment()
    assert env["TIDEGATE_SERVICE"] == "shop"
    assert env["TIDEGATE_RUN"] == RUN
    assert env["TIDEGATE_COMMIT"] == "c" * 40
    assert env["TIDEGATE_BRANCH"] == "main"
    assert env["TIDEGATE_STEP"] == "test"
    assert env["TIDEGATE_ATTEMPT"] == "2"
    assert env["TIDEGATE_RELEASE"] == ""


def test_a_build_step_learns_no_environment_and_no_address() -> None:
    env = built_environment()
    assert not {"TIDEGATE_ENVIRONMENT", "TIDEGATE_URL", "TIDEGATE_STAGE"} & env.keys()
    assert ADDRESS not in env.values()


def test_a_stages_step_learns_its_stage_environment_release_and_address() -> None:
    run = replace(a_run(a_pipeline()), release=ReleaseId("01RELEASE"))
    env = step_environment(run, a_step_run(a_step("smoke"), scope="production"), "production", ADDRESS)
    assert (env["TIDEGATE_STAGE"], env["TIDEGATE_ENVIRONMENT"]) == ("production", "production")
    assert (env["TIDEGATE_URL"], env["TIDEGATE_RELEASE"]) == (ADDRESS, "01RELEASE")


def test_a_steps_own_variables_are_there() -> None:
    assert built_environment(COLOUR="green")["COLOUR"] == "green"


def test_a_file_cannot_tell_a_step_a_lie_about_its_commit() -> None:
    assert built_environment(TIDEGATE_COMMIT="f" * 40)["TIDEGATE_COMMIT"] == "c" * 40


def test_a_step_gets_nothing_else() -> None:
    known = {"SERVICE", "RUN", "COMMIT", "BRANCH", "STEP", "ATTEMPT", "RELEASE"}
    own = {f"TIDEGATE_{name}" for name in known} | {"SOURCE_DATE_EPOCH"}
    assert built_environment(COLOUR="green").keys() == {"COLOUR"} | own


def test_a_service_learns_who_it_is_and_where_it_answers_but_no_secret() -> None:
    deployment = a_deployment()
    runtime = replace(a_runtime(LOG_LEVEL="info"), secrets=("DATABASE_URL",))
    env = service_environment(replace(deployment, runtime=runtime), serving())
    assert env == {
        "LOG_LEVEL": "info",
        "TIDEGATE_SERVICE": "shop",
        "TIDEGATE_ENVIRONMENT": "production",
        "TIDEGATE_DEPLOYMENT": NEW,
        "TIDEGATE_RELEASE": "new",
        "TIDEGATE_COMMIT": "c" * 40,
        "TIDEGATE_URL": ADDRESS,
    }


def test_the_address_of_a_placement_does_not_depend_on_what_serves_there() -> None:
    assert address_of(serving()) == address_of(replace(serving(NEW), generation=Generation(99))) == ADDRESS
