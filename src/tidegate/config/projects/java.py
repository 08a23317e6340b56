"""A Java project by Maven or Gradle: its tests and its jar are made by one command."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tidegate.config.projects.files import health_path, is_plain_name, listening, sources, text_of
from tidegate.config.projects.project import Project, StarterStep

_GRADLE = ("build.gradle", "build.gradle.kts")
_GRADLE_SETTINGS = ("settings.gradle", "settings.gradle.kts")
_ACTUATOR = "/actuator/health"
_TEST_SOURCES = (".java", ".kt", ".groovy", ".scala")


@dataclass(frozen=True, slots=True)
class _Jar:
    """The file that is made, where the build's own files name it; otherwise what a person has to do."""

    pattern: str | None
    notes: tuple[str, ...] = ()


def is_gradle(repository: Path) -> bool:
    """Whether Gradle builds it."""
    return any((repository / name).is_file() for name in _GRADLE)


def maven(repository: Path, service: str) -> Project:
    """The project in a folder with a pom.xml."""
    text = text_of(repository / "pom.xml")
    command = f"{_wrapper(repository, 'mvnw', 'mvn')} --batch-mode --no-transfer-progress package"
    jar = _maven_jar(_pom(text), text, service)
    reports = "target/surefire-reports/TEST-*.xml"
    return _java(repository, "a Java project (Maven)", command, jar, reports, "spring-boot" in text, _is_runnable(text))


def gradle(repository: Path, service: str) -> Project:
    """The project in a folder with a build.gradle."""
    text = "\n".join(text_of(repository / name) for name in _GRADLE)
    settings = "\n".join(text_of(repository / name) for name in _GRADLE_SETTINGS)
    command = f"{_wrapper(repository, 'gradlew', 'gradle')} --no-daemon --console=plain build"
    jar = _gradle_jar(text, settings, service)
    is_spring = "org.springframework.boot" in text
    reports = "build/test-results/test/TEST-*.xml"
    return _java(repository, "a Java project (Gradle)", command, jar, reports, is_spring, is_spring)


def _java(
    repository: Path, kind: str, run: str, jar: _Jar, reports: str, is_spring: bool, is_runnable: bool
) -> Project:
    """The project. `reports` is where its tool writes one for each class of tests; its folder holds all it makes."""
    makes = reports.partition("/")[0]
    texts = [text_of(path) for path in sources(repository, ".java", ".kt", ".properties", ".yml")]
    command = _command(texts, is_spring) if jar.pattern and jar.pattern.endswith(".jar") and is_runnable else None
    return Project(
        kind=kind,
        language="Java",
        steps=(StarterStep("package", run, jar.pattern, junit=_reports(repository, reports), notes=jar.notes),),
        makes=(makes, ".gradle") if makes == "build" else (makes,),
        command=command,
        runs_artifact=command is not None,
        health=_ACTUATOR if is_spring and _has_actuator(repository) else health_path(texts),
    )


def _command(texts: list[str], is_spring: bool) -> str | None:
    if is_spring:
        return 'java -Dserver.address=127.0.0.1 -Dserver.port="$PORT" -jar "$TIDEGATE_ARTIFACTS"/*.jar'
    return listening('java -jar "$TIDEGATE_ARTIFACTS"/*.jar', texts)


def _reports(repository: Path, pattern: str) -> str | None:
    """The reports of its tests, below each module that has some; none where nothing would be written."""
    tests = [path.relative_to(repository) for path in sources(repository, *_TEST_SOURCES)]
    folders = {path.parts[: path.parts.index("src")] for path in tests if "/src/test/" in f"/{path.as_posix()}"}
    if not folders:
        return None
    return pattern if folders == {()} else f"**/{pattern}"


def _has_actuator(repository: Path) -> bool:
    return any("spring-boot-starter-actuator" in text_of(repository / name) for name in ("pom.xml", *_GRADLE))


def _wrapper(repository: Path, wrapper: str, command: str) -> str:
    """The wrapper that brings its own version of the tool, where there is one."""
    script = repository / wrapper
    if not script.is_file():
        return command
    return f"./{wrapper}" if os.access(script, os.X_OK) else f"sh ./{wrapper}"


# Maven


def _pom(text: str) -> ElementTree.Element | None:
    """The pom, without namespaces; none where it is no XML, or has a document type, of which entities could be."""
    if "<!" in re.sub(r"<!--.*?-->|<!\[CDATA\[", "", text, flags=re.DOTALL):
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except (ElementTree.ParseError, ValueError, RecursionError):
        return None
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    return root


def _maven_jar(pom: ElementTree.Element | None, text: str, service: str) -> _Jar:
    if pom is None:
        return _Jar(None, _name_it(service, "target/*.jar"))
    if pom.find("modules") is not None:
        return _Jar(None, _name_it(service, "MODULE/target/*.jar"))
    packaging = pom.findtext("packaging", "jar").strip()
    if packaging not in ("jar", "war"):
        return _Jar(None, _name_it(service, "target/*.jar"))
    final = pom.findtext("build/finalName")
    name = _value(pom, final or pom.findtext("artifactId"))
    version = _value(pom, pom.findtext("version") or pom.findtext("parent/version"))
    if name is None or (version is None and not final):
        return _Jar(None, _name_it(service, f"target/*.{packaging}"))
    if final:
        return _Jar(f"target/{name}.{packaging}")
    has_others = re.search("maven-(source|javadoc|assembly|shade)-plugin|<classifier>", text)
    return _versioned(f"target/{name}", version or "", packaging, has_others is not None)


def _versioned(path: str, version: str, ending: str, has_others: bool) -> _Jar:
    """The file whatever its version, where it is the only one that begins so."""
    if not has_others:
        return _Jar(f"{path}-*.{ending}")
    note = f"Other files begin like this one, so its version {version} stands here: change it when that changes."
    return _Jar(f"{path}-{version}.{ending}", (note,))


def _value(pom: ElementTree.Element, text: str | None) -> str | None:
    """A value with its ${properties} filled in; None where one is not known."""
    known = {f"{one.tag}": (one.text or "").strip() for one in pom.iterfind("properties/*")}
    for key in ("artifactId", "version"):
        known[f"project.{key}"] = (pom.findtext(key) or pom.findtext(f"parent/{key}") or "").strip()
    filled = re.sub(r"\$\{([^}]+)\}", lambda found: known.get(found[1], found[0]), (text or "").strip())
    return filled if filled and is_plain_name(filled) else None


def _is_runnable(text: str) -> bool:
    """Whether `java -jar` starts it: everything is in the one file, and it says which class begins."""
    if "spring-boot-maven-plugin" in text:
        return True
    return "<mainClass>" in text and ("maven-shade-plugin" in text or "<dependencies" not in text)


# Gradle


def _gradle_jar(text: str, settings: str, service: str) -> _Jar:
    named = re.search(r"""^\s*rootProject\.name\s*=\s*["']([^"']+)["']""", settings, re.MULTILINE)
    version = re.search(r"""^version\s*=\s*["']([^"']+)["']""", text, re.MULTILINE)
    has_projects = re.search(r"^\s*include[ (]", settings, re.MULTILINE)
    if not named or has_projects or re.search(r"archive(Base|File)Name|^version\s*=\s*[^\"'\s]", text, re.MULTILINE):
        return _Jar(None, _name_it(service, "MODULE/build/libs/*.jar" if has_projects else "build/libs/*.jar"))
    if not is_plain_name(named[1]) or (version and not is_plain_name(version[1])):
        return _Jar(None, _name_it(service, "build/libs/*.jar"))
    if not version:
        return _Jar(f"build/libs/{named[1]}.jar")
    # beside the jar that runs, Spring Boot makes one that is called -plain
    has_others = re.search(r"org\.springframework\.boot|with(Sources|Javadoc)Jar|shadow", text) is not None
    return _versioned(f"build/libs/{named[1]}", version[1], "jar", has_others)


def _name_it(service: str, pattern: str) -> tuple[str, ...]:
    return (
        "To deploy what it makes, name the one file; the pattern must match nothing else:",
        f'artifacts: {{{service}: "{pattern}"}}',
    )
