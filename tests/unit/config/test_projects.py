"""What `tidegate init` knows of each kind of project: how it is built, what it makes, how it is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.config.projects.recognise import recognise
from tidegate.config.starter import starter_yaml
from tidegate.config.tidegate_yaml import load
from tidegate.model.pipeline import Pipeline, Step

PORT = 'listen(env("PORT")); "/healthz"'


def write(folder: Path, files: dict[str, str]) -> None:
    (folder / ".git").mkdir()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def started(folder: Path, files: dict[str, str], service: str = "shop") -> Pipeline:
    write(folder, files)
    return load(starter_yaml(folder, service))


def only(pipeline: Pipeline) -> Step:
    (step,) = pipeline.build.steps
    return step


def test_a_step_of_a_whole_repository_is_taken_from_the_cache_while_no_file_changes(tmp_path: Path) -> None:
    step = only(started(tmp_path, {"tests/test_a.py": "import unittest", "app.py": ""}))
    assert step.inputs == ("**", "!**/__pycache__")


def test_what_a_folder_of_a_larger_repository_depends_on_is_for_a_person_to_say(tmp_path: Path) -> None:
    write(tmp_path, {"services/shop/app.py": "", "services/shop/test_a.py": "import unittest"})
    text = starter_yaml(tmp_path / "services" / "shop", "shop")
    assert only(load(text)).inputs == ()
    assert "If a step reads nothing outside of this folder" in text


def test_what_the_build_makes_is_no_input_unless_git_ignores_it_anyway(tmp_path: Path) -> None:
    files = {"requirements.txt": "x\n", "tests/test_a.py": "import pytest"}
    assert only(started(tmp_path, files)).inputs == ("**", "!.venv", "!**/__pycache__", "!reports/unit.xml")
    (tmp_path / ".gitignore").write_text("/.venv/\n__pycache__/\nreports\n")
    assert only(load(starter_yaml(tmp_path, "shop"))).inputs == ("**",)


PACKAGE = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "shop"\ndependencies = ["x"]\n'


def test_a_python_package_is_a_wheel_and_what_is_started_is_the_wheel(tmp_path: Path) -> None:
    pipeline = started(tmp_path, {"pyproject.toml": PACKAGE, "src/shop/__main__.py": "'--port'"})
    check, wheel = pipeline.build.steps
    assert check.name == "check"
    assert wheel.artifacts == {"shop": "dist/*.whl"}
    assert pipeline.runtime is not None
    assert (pipeline.runtime.artifact, pipeline.runtime.env) == ("shop", {})
    assert pipeline.runtime.prepare is not None
    assert '"$TIDEGATE_ARTIFACTS"/*.whl' in pipeline.runtime.prepare
    assert pipeline.runtime.command == '.venv/bin/python -m shop --port "$PORT"'


def test_a_python_package_that_a_procfile_starts_is_started_from_the_commit(tmp_path: Path) -> None:
    files = {"pyproject.toml": PACKAGE, "src/shop/__main__.py": "", "Procfile": "web: .venv/bin/gunicorn shop\n"}
    runtime = started(tmp_path, files).runtime
    assert runtime is not None
    assert (runtime.artifact, runtime.command) == (None, ".venv/bin/gunicorn shop")
    assert runtime.prepare == "python3 -m venv .venv\n.venv/bin/python -m pip install --quiet .\n"


@pytest.mark.parametrize(
    ("lock", "setup", "prepare"),
    [
        ("package-lock.json", "npm ci", "npm ci --omit=dev"),
        ("yarn.lock", "yarn install --frozen-lockfile", "yarn install --frozen-lockfile --production"),
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm install --frozen-lockfile --prod"),
    ],
)
def test_the_package_manager_is_the_one_that_wrote_the_lock_file(
    tmp_path: Path, lock: str, setup: str, prepare: str
) -> None:
    package = '{"scripts": {"test": "x", "start": "x"}, "dependencies": {"a": "1"}}'
    pipeline = started(tmp_path, {"package.json": package, lock: "{}"})
    assert pipeline.build.setup is not None
    assert pipeline.build.setup.run == setup
    assert only(pipeline).run == f"{setup.partition(' ')[0]} test"
    assert pipeline.runtime is not None
    assert pipeline.runtime.prepare == prepare


def test_a_node_project_with_a_build_script_is_built_where_it_is_started(tmp_path: Path) -> None:
    scripts = '{"scripts": {"test": "x", "build": "tsc", "start": "node dist"}, "devDependencies": {"a": "1"}}'
    pipeline = started(tmp_path, {"package.json": scripts, "package-lock.json": "{}"})
    assert [step.run for step in pipeline.build.steps] == ["npm test", "npm run build"]
    assert pipeline.runtime is not None
    assert pipeline.runtime.prepare == "npm ci\nnpm run build\n"


@pytest.mark.parametrize(
    ("files", "run", "artifact", "command"),
    [
        (
            {"main.go": f"package main\n{PORT}", "a_test.go": "package main"},
            ["go test ./...", "go build -trimpath -o dist/shop ."],
            {"shop": "dist/shop"},
            "./shop",
        ),
        (
            {"cmd/shop/main.go": 'package main\n"--port"', "cmd/tool/main.go": "package main"},
            ["go vet ./...", "go build -trimpath -o dist/shop ./cmd/shop"],
            {"shop": "dist/shop"},
            './shop --port "$PORT"',
        ),
        ({"cmd/a/main.go": "package main", "cmd/b/main.go": "package main"}, ["go vet ./..."], {}, None),
        ({"shop.go": "package shop", "main_test.go": "package main"}, ["go test ./..."], {}, None),
    ],
)
def test_a_go_project(
    tmp_path: Path, files: dict[str, str], run: list[str], artifact: dict[str, str], command: str | None
) -> None:
    pipeline = started(tmp_path, {"go.mod": "module shop\n", **files})
    assert [step.run for step in pipeline.build.steps] == run
    assert pipeline.build.steps[-1].artifacts == artifact
    assert (pipeline.runtime.command if pipeline.runtime else None) == command
    if pipeline.runtime:
        assert pipeline.runtime.artifact == "shop"
        assert pipeline.runtime.prepare == 'install -m 755 "$TIDEGATE_ARTIFACTS/shop" shop'


CRATE = '[package]\nname = "shop-server"\nversion = "0.1.0"\n'


@pytest.mark.parametrize(
    ("files", "run", "artifact"),
    [
        (
            {"Cargo.toml": CRATE, "Cargo.lock": "", "src/main.rs": PORT},
            ["cargo test --locked", "cargo build --release --bin shop-server --locked"],
            {"shop": "target/release/shop-server"},
        ),
        (
            {"Cargo.toml": CRATE + '[[bin]]\nname = "serve"\npath = "x.rs"\n'},
            ["cargo test", "cargo build --release --bin serve"],
            {"shop": "target/release/serve"},
        ),
        (
            {"Cargo.toml": CRATE, "src/bin/shop.rs": "", "src/bin/other.rs": ""},
            ["cargo test", "cargo build --release --bin shop"],
            {"shop": "target/release/shop"},
        ),
        ({"Cargo.toml": CRATE, "src/lib.rs": ""}, ["cargo test"], {}),
        ({"Cargo.toml": '[workspace]\nmembers = ["a"]\n'}, ["cargo test --workspace"], {}),
        ({"Cargo.toml": "[[bin]]\nname = 5\n[package]\nname = '$(x)'\n", "src/main.rs": ""}, ["cargo test"], {}),
    ],
)
def test_a_rust_project(tmp_path: Path, files: dict[str, str], run: list[str], artifact: dict[str, str]) -> None:
    pipeline = started(tmp_path, files)
    assert [step.run for step in pipeline.build.steps] == run
    assert pipeline.build.steps[-1].artifacts == artifact


def pom(inner: str, version: str = "<version>1.0</version>") -> str:
    head = '<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0"><!-- <modules/> -->'
    return f"{head}<artifactId>shop</artifactId>{version}{inner}</project>"


SPRING = "<build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>"
SOURCES = "<build><plugins><plugin><artifactId>maven-source-plugin</artifactId></plugin></plugins></build>"


@pytest.mark.parametrize(
    ("text", "artifact"),
    [
        (pom(""), "target/shop-*.jar"),
        (pom("<packaging>war</packaging>"), "target/shop-*.war"),
        (pom("<build><finalName>app-${project.version}</finalName></build>"), "target/app-1.0.jar"),
        (pom("", "<parent><version>2.1</version></parent>"), "target/shop-*.jar"),
        (pom(SOURCES), "target/shop-1.0.jar"),
        (pom(f"<properties><r>3</r></properties>{SOURCES}", "<version>${r}</version>"), "target/shop-3.jar"),
        (pom(SOURCES, "<version>${env.X}</version>"), None),
        (pom("<modules><module>a</module></modules>"), None),
        (pom("<packaging>pom</packaging>"), None),
        (pom("", "<version>$(rm -r x)</version>"), None),
        ("<!DOCTYPE x [<!ENTITY y 'z'>]>" + pom(""), None),
        ("not XML", None),
        ("", None),
    ],
)
def test_the_jar_of_maven_is_named_where_the_pom_tells(tmp_path: Path, text: str, artifact: str | None) -> None:
    step = only(started(tmp_path, {"pom.xml": text}))
    assert step.run == "mvn --batch-mode --no-transfer-progress package"
    assert step.inputs == ("**", "!target")
    assert step.artifacts == ({"shop": artifact} if artifact else {})
    if not artifact:
        assert "# To deploy what it makes, name the one file" in starter_yaml(tmp_path, "shop")


@pytest.mark.parametrize(
    ("test", "junit"),
    [
        ("src/test/java/ShopTest.java", "{}"),
        ("src/test/kotlin/ShopTest.kt", "{}"),
        ("app/src/test/java/ShopTest.java", "**/{}"),
        ("src/test/resources/data.txt", None),
        ("src/main/java/Test.java", None),
    ],
)
@pytest.mark.parametrize(
    ("file", "reports"),
    [("pom.xml", "target/surefire-reports/TEST-*.xml"), ("build.gradle", "build/test-results/test/TEST-*.xml")],
)
def test_a_java_project_that_has_tests_reports_them_where_its_tool_does(
    tmp_path: Path, file: str, reports: str, test: str, junit: str | None
) -> None:
    step = only(started(tmp_path, {file: pom("") if file == "pom.xml" else "", test: ""}))
    assert step.junit == (junit.format(reports) if junit else None)


@pytest.mark.parametrize(
    ("build", "settings", "artifact"),
    [
        ("version = '1.0'\n", "rootProject.name = 'shop'\n", "build/libs/shop-*.jar"),
        ("", 'rootProject.name = "shop"\n', "build/libs/shop.jar"),
        ('plugins { id("org.springframework.boot") }\nversion = "1.0"\n', 'rootProject.name = "shop"\n', "1.0"),
        ("version = '1.0'\n", "", None),
        ("version = findProperty('v')\n", "rootProject.name = 'shop'\n", None),
        ("", "rootProject.name = 'shop'\ninclude 'app'\n", None),
        ("", "rootProject.name = '../x'\n", None),
    ],
)
def test_the_jar_of_gradle_is_named_where_its_files_tell(
    tmp_path: Path, build: str, settings: str, artifact: str | None
) -> None:
    files = {"build.gradle.kts": build, "settings.gradle.kts": settings, "gradlew": "#!/bin/sh\n"}
    step = only(started(tmp_path, files))
    assert step.run == "sh ./gradlew --no-daemon --console=plain build"
    wanted = f"build/libs/shop-{artifact}.jar" if artifact == "1.0" else artifact
    assert step.artifacts == ({"shop": wanted} if wanted else {})


def test_the_wrapper_is_called_as_a_program_where_it_is_one(tmp_path: Path) -> None:
    write(tmp_path, {"pom.xml": pom(""), "mvnw": "#!/bin/sh\n"})
    (tmp_path / "mvnw").chmod(0o755)
    assert only(load(starter_yaml(tmp_path, "shop"))).run.startswith("./mvnw --batch-mode")


@pytest.mark.parametrize(
    ("text", "source", "command", "health"),
    [
        (
            pom(SPRING),
            "",
            'java -Dserver.address=127.0.0.1 -Dserver.port="$PORT" -jar "$TIDEGATE_ARTIFACTS"/*.jar',
            "/",
        ),
        (pom(SPRING + "<x>spring-boot-starter-actuator</x>"), "", None, "/actuator/health"),
        (pom("<x><mainClass>A</mainClass></x>"), PORT, 'java -jar "$TIDEGATE_ARTIFACTS"/*.jar', "/healthz"),
        (pom("<x><mainClass>A</mainClass></x>"), "nothing of a port", "", "/"),
        (pom("<x><mainClass>A</mainClass></x><dependencies/>"), PORT, "", "/healthz"),
        (pom(""), PORT, "", "/healthz"),
    ],
)
def test_a_jar_is_started_where_it_is_known_to_be_a_program(
    tmp_path: Path, text: str, source: str, command: str | None, health: str
) -> None:
    write(tmp_path, {"pom.xml": text, "src/main/java/A.java": source})
    runtime = load(starter_yaml(tmp_path, "shop")).runtime
    if command != "":
        assert runtime is not None
        assert runtime.artifact == "shop"
        assert runtime.health.path == health
        assert command is None or runtime.command == command
    else:
        assert runtime is None
        assert f"health: {{path: {health}" in starter_yaml(tmp_path, "shop")


DOCKERFILE = "FROM docker.io/library/eclipse-temurin:17\nCOPY target/*.jar app.jar\n"


def test_an_image_is_made_after_all_else_from_what_the_other_steps_made(tmp_path: Path) -> None:
    package, image = started(tmp_path, {"pom.xml": pom(SPRING), "Dockerfile": DOCKERFILE}).build.steps
    assert package.outputs == ("target/shop-*.jar",)
    assert image.needs == ("package",)
    assert image.artifacts == {"image": "image.tar"}
    assert image.inputs == ()


@pytest.mark.parametrize(
    ("file", "pinned"),
    [
        ("FROM scratch\nCOPY . /\n", True),
        (f"FROM x@sha256:{'0' * 64} AS base\nFROM base\nCOPY . /\n", True),
        ("FROM x:1\n", False),
        ("FROM scratch\nRUN apt-get install x\n", False),
        ("FROM scratch\nADD https://x/y /z\n", False),
        ("FROM --platform=linux/amd64 x:1\n", False),
        ("", False),
    ],
)
def test_an_image_has_inputs_only_where_nothing_is_fetched_that_may_change(
    tmp_path: Path, file: str, pinned: bool
) -> None:
    step = only(started(tmp_path, {"Containerfile": file}))
    assert step.inputs == (("**", "!image.tar") if pinned else ())
    assert ("It always runs" in starter_yaml(tmp_path, "shop")) is not pinned


@pytest.mark.parametrize(
    ("there", "command"),
    [
        ({"docker", "podman", "buildah"}, "buildah bud --format oci"),
        ({"docker", "podman"}, "podman build"),
        ({"docker"}, "docker build"),
        (set(), "buildah bud --format oci"),
    ],
)
def test_an_image_is_made_by_a_tool_that_is_there(tmp_path: Path, there: set[str], command: str) -> None:
    write(tmp_path, {"Containerfile": "FROM scratch\n"})
    image = recognise(tmp_path, "shop", there.__contains__).image
    assert image is not None
    assert image.run.startswith(command)
    assert "image.tar" in image.run


def test_a_service_that_is_called_image_has_two_artifacts_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, {"go.mod": "module x", "main.go": "package main", "Dockerfile": "FROM scratch\n"})
    steps = load(starter_yaml(tmp_path, "image")).build.steps
    assert {name for step in steps for name in step.artifacts} == {"image", "image-archive"}


def test_several_projects_are_one_build_and_each_step_says_whose_it_is(tmp_path: Path) -> None:
    files = {
        **{"requirements.txt": "x\n", "app.py": PORT, "tests/test_a.py": "import pytest"},
        **{"package.json": '{"scripts": {"test": "jest"}, "devDependencies": {"a": "1"}}', "package-lock.json": "{}"},
        **{"go.mod": "module x", "main.go": f"package main\n{PORT}"},
    }
    pipeline = started(tmp_path, files)
    assert [step.name for step in pipeline.build.steps] == ["Python unit tests", "Go program", "Node unit tests"]
    assert pipeline.build.setup is not None
    assert pipeline.build.setup.run.splitlines()[-1] == "npm ci"
    assert pipeline.runtime is not None
    assert pipeline.runtime.command == ".venv/bin/python app.py"
    assert pipeline.runtime.prepare is not None
    assert "npm" not in pipeline.runtime.prepare


def test_a_script_beside_another_project_makes_it_no_python_project(tmp_path: Path) -> None:
    assert only(started(tmp_path, {"pom.xml": pom(""), "release.py": ""})).name == "package"


def test_a_procfile_starts_what_is_built_in_its_place(tmp_path: Path) -> None:
    files = {"pom.xml": pom(""), "Procfile": "web: java -jar target/shop.jar\n", "package.json": "{}"}
    runtime = started(tmp_path, files).runtime
    assert runtime is not None
    assert (runtime.artifact, runtime.command) == (None, "java -jar target/shop.jar")
    assert runtime.prepare == "mvn --batch-mode --no-transfer-progress package"
