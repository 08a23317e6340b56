"""`tidegate release …`: what was built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.audit_commands import OutOption, say_pack
from tidegate.cli.client import Client, Document
from tidegate.cli.exit_code import CommandFailed, ExitCode
from tidegate.cli.options import DataOption, JsonOption
from tidegate.cli.run_reference import ID_LENGTH, SHORTEST
from tidegate.cli.run_view import local_time
from tidegate.cli.session import begin

app = typer.Typer(no_args_is_help=True, help="Releases: the candidates that builds made.")


@app.command("list")
def list_releases(
    service: Annotated[str | None, typer.Argument(metavar="SERVICE", help="Of this service only.")] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List releases, each service's newest first."""
    session = begin(json, data)
    found = releases_of(session.client, service)
    session.output.document(found)
    session.output.table(
        ("release", "service", "version", "commit", "tests", "coverage", "built", "subject"),
        (
            [
                one["id"],
                one["service"],
                one.get("version") or "",
                str(one["commit"])[:8],
                _tests(one),
                _coverage(one),
                local_time(one.get("created_at")),
                one["subject"],
            ]
            for one in found
        ),
    )


@app.command()
def show(
    release: Annotated[
        str,
        typer.Argument(metavar="RELEASE", help="Its id, or the beginning of it or of its commit.", show_default=False),
    ],
    service: Annotated[str | None, typer.Option("--service", metavar="S", help="Of this service.")] = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Show one release: its commit, reports, artifacts, and what each of those was made from."""
    session = begin(json, data)
    found: Document = session.client.get("releases", _id_of(session.client, release, service))
    session.output.document(found)
    if json:
        return
    session.output.say(f"{found['service']} {found['commit']}: {found['subject']} ({found['author']})")
    session.output.say(f"release: {found['id']}, built {local_time(found.get('created_at'))} by run {found.get('run')}")
    if found.get("version"):
        session.output.say(f"version: {found['version']}")
    for text in (_tests(found), _coverage(found)):
        if text:
            session.output.say(text)
    if found.get("failed_steps"):
        session.output.say(f"failed, as they may: {', '.join(found['failed_steps'])}")
    for line in _artifacts(found):
        session.output.say(line)
    for environment, changes in (found.get("brings") or {}).items():
        if len(changes) > 1:
            session.output.say(f"brings {len(changes)} changes to {environment}:")
            for change in changes:
                session.output.say(f"  {str(change['commit'])[:8]} {change['subject']} ({change['author']})")
    for environment, told in (found.get("usage") or {}).items():
        for one in told:
            session.output.say(f"in {environment}: {_usage(one)}")
    for deployment in found.get("deployments") or ():
        quarantined = deployment.get("quarantined_because")
        state = (
            f"quarantined: {quarantined}" if quarantined else "proven" if deployment.get("proven_at") else "not proven"
        )
        session.output.say(f"deployment {deployment['id']}: {state}")


@app.command()
def record(
    service: Annotated[str, typer.Argument(metavar="SERVICE", show_default=False)],
    release: Annotated[
        str,
        typer.Argument(metavar="RELEASE", help="Its id, or the beginning of it or of its commit.", show_default=False),
    ],
    out: OutOption = None,
    json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Write an evidence pack of one release: a ZIP with a page to read and to print, the record's lines, and what
    verifies them without Tidegate."""
    session = begin(json, data)
    named = _id_of(session.client, release, service)
    file = out or Path(f"release-{service}-{named}.zip")
    session.client.download(file, "services", service, "releases", named, "record")
    say_pack(session, file)


def releases_of(client: Client, service: str | None) -> list[Document]:
    """The releases of a service, or of all."""
    names = [service] if service else [str(one["name"]) for one in client.items("services")]
    return [release for name in names for release in client.items("releases", service=name)]


def choose(reference: str, releases: Sequence[Document]) -> Document:
    """The one release whose id or commit begins with the reference. Raises CommandFailed."""
    found = [
        one
        for one in releases
        if str(one["id"]).lower().startswith(reference.lower()) or str(one["commit"]).startswith(reference.lower())
    ]
    if not found or len(reference) < SHORTEST:
        raise CommandFailed(ExitCode.USAGE, f"there is no release called {reference!r}", "tidegate release list")
    if len(found) > 1:
        names = ", ".join(f"{one['id']} ({one['service']} {one['commit'][:8]})" for one in found[:5])
        raise CommandFailed(ExitCode.USAGE, f"{reference!r} fits several releases: {names}", "name it by its id")
    return found[0]


def _id_of(client: Client, reference: str, service: str | None) -> str:
    if len(reference) == ID_LENGTH:
        return reference.lower()
    return str(choose(reference, releases_of(client, service))["id"])


def _artifacts(release: Document) -> Iterator[str]:
    for artifact in release.get("artifacts") or ():
        yield f"artifact {artifact['name']}: {artifact['file']}, {artifact['size']:,} bytes, {artifact['digest']}"
        if artifact.get("step"):
            yield f'  made by "{artifact["step"]}" from {_materials(artifact)}'


def _materials(artifact: Document) -> str:
    """What the step that made an artifact was given: artifacts by name, other files by the step that made them."""
    found = ["the commit"]
    for given in artifact["given"]:
        named = [f"{name} ({digest})" for name, digest in given["artifacts"].items()]
        found += named or [f'what "{given["step"]}" handed over ({given["outputs"]})']
    return ", ".join(found)


def _usage(told: Document) -> str:
    """The share that used it, where that lies for certain, and the old deployment's."""
    unit = told["unit"]
    old = "none known of the old deployment" if told["baseline"] is None else f"{told['baseline']:.3g}{unit} on the old"
    return f"{told['name']}: {told['canary']:.3g}{unit} ({told['low']:.3g}{unit} to {told['high']:.3g}{unit}; {old})"


def _tests(release: Document) -> str:
    tests = release.get("tests")
    return f"{tests['total']} tests, {tests['failed']} failed" if tests else ""


def _coverage(release: Document) -> str:
    covered = release.get("line_coverage")
    return "" if covered is None else f"{covered:.1f}% of lines"
