"""A secret reaches the instances of its service and nothing else: no log, event, page, answer or process list.

One story is told to a real server, with its agent, supervisord and Envoy: steps that print all that they have, a
version that prints its secret and serves, and one that prints it and cannot serve. Then everything is looked through.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.harness import SAMPLE, World, a_world

from tidegate.security.isolation import ISOLATED_UID

SECRET = "postgres://tide:g4te'7Qx@db"
TRACE = "g4te"
"""What nobody else would write."""

# the build's step lasts for a while, or who watches the process list might miss it
PIPELINE = """\
service: sample
build:
  steps:
    - {name: test, run: env | sort; sleep 1}
runtime:
  prepare: echo "prepared with $DATABASE_URL"
  command: echo "begun with $DATABASE_URL"; %s & wait
  secrets: [DATABASE_URL]
  health: {path: /healthz, within: %s}
  instances: 1
stages:
  - name: staging
    environment: staging
    deploy: {strategy: blue-green}
    steps:
      - {name: look, run: env | sort}
"""


@dataclass
class Told:
    """A server after the story, and every command line that was seen meanwhile."""

    world: World
    runs: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)

    def tell(self, subject: str, command: str, within: str) -> None:
        """Commit a version and wait for the end of its run."""
        (self.world.repository / "tidegate.yaml").write_text(PIPELINE % (command, within))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        if not self.runs:
            self.world.add()
        run = self.world.run_of(self.git("rev-parse", "HEAD").strip())
        self.runs.append(run)
        self.statuses.append(self.world.ended(run))

    def git(self, *arguments: str) -> str:
        person = ("-c", "user.name=Sam", "-c", "user.email=sam@example.com")
        done = subprocess.run(
            ["git", *person, *arguments], cwd=self.world.repository, check=True, capture_output=True, text=True
        )
        return done.stdout

    @cached_property
    def details(self) -> list[dict[str, Any]]:
        """What the API says of each run, once all have ended."""
        return [self.world.api("GET", f"/api/v1/runs/{run}") for run in self.runs]

    @property
    def steps(self) -> list[dict[str, Any]]:
        return [step for detail in self.details for step in detail["steps"]]


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    with a_world() as world:
        told = Told(world)
        world.repository.mkdir()
        told.git("init", "--quiet", "--initial-branch=main")
        shutil.copy(SAMPLE / "service.py", world.repository)
        (world.repository / "behaviour.json").write_text('{"version": "first"}')
        set_up = world.run("secret", "set", "sample", "DATABASE_URL", input=f"{SECRET}\n")
        assert set_up.returncode == 0, set_up.stderr
        with _watched(told.command_lines):
            told.tell("serves", "python3 service.py", "10s")
            told.tell("cannot serve", "sleep 60", "1s")
        yield told


def test_the_story_came_to_pass_and_the_instance_has_its_secret(told: Told) -> None:
    assert told.statuses == ["succeeded", "rolled_back"]
    said = [path.read_text() for path in sorted((told.world.data / "logs" / "deployments").rglob("instance-0.log"))]
    assert len([text for text in said if f"begun with {SECRET}" in text]) == 2


def test_no_step_has_a_secret_or_its_name_in_its_environment(told: Told) -> None:
    logs = [_log(told, step) for step in told.steps if step["state"] == "succeeded"]
    assert len(logs) == 3
    for log in logs:
        assert "TIDEGATE_COMMIT=" in log
        assert TRACE not in log
        assert "DATABASE_URL" not in log


def test_why_a_version_could_not_serve_is_told_without_its_secret(told: Told) -> None:
    texts = [event["text"] for event in told.world.events(told.runs[-1])]
    assert any("begun with ***" in text for text in texts), texts


def test_no_event_holds_a_secret(told: Told) -> None:
    with closing(sqlite3.connect(told.world.data / "tidegate.sqlite3")) as database:
        events = [str(row) for row in database.execute("SELECT * FROM event")]
        (sealed,) = database.execute("SELECT value FROM secret").fetchone()
    assert len(events) > 20
    assert any("set the secret DATABASE_URL of sample" in event for event in events)
    assert not [event for event in events if TRACE in event]
    assert TRACE not in sealed


def test_no_answer_of_the_api_holds_a_secret(told: Told) -> None:
    with _client(told) as client:
        client.post("/api/v1/accounts", json={"name": "sample"}).raise_for_status()
        document = client.get("/api/v1/openapi.json").json()["paths"]
        # commits are for agents: a person is refused there
        known = [path for path, acts in document.items() if "get" in acts and "/git/" not in path]
        incidents = [one["id"] for one in client.get("/api/v1/incidents").json()["items"]]
        assert incidents, "the second version could not serve"
        asked = [path for one in known for path in _paths(told, one, incidents)]
        answers = {path: client.get(path) for path in asked}
    assert len(answers) > 20
    for path, answer in answers.items():
        # of a rollout that was never verified there are no figures
        has_none = path.endswith("/recording") and answer.status_code == 409
        assert answer.is_success or has_none, (path, answer.text)
        assert TRACE not in answer.text, path


def test_no_page_holds_a_secret(told: Told) -> None:
    with _client(told) as admin:
        code = admin.post("/api/v1/sign-in-codes").json()["code"]
    with httpx.Client(base_url=told.world.address, follow_redirects=True, timeout=30) as browser:
        assert browser.get("/sign-in", params={"code": code}).is_success
        paths = ["/", "/services/sample", *(f"/runs/{run}" for run in told.runs)]
        paths += [f"/steps/{step['id']}/log" for step in told.steps]
        pages = {path: browser.get(path) for path in paths}
    assert "begun with ***" in pages[f"/runs/{told.runs[-1]}"].text
    for path, page in pages.items():
        assert page.is_success, path
        assert TRACE not in page.text, path


@pytest.mark.parametrize(
    "command",
    [
        ("secret", "list", "sample"),
        ("status", "sample"),
        ("events",),
    ],
    ids=" ".join,
)
def test_no_command_says_a_secret(told: Told, command: tuple[str, ...]) -> None:
    done = told.world.run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert TRACE not in done.stdout + done.stderr


def test_no_process_list_shows_a_secret_at_any_moment(told: Told) -> None:
    shown = subprocess.run(["ps", "axww", "-o", "user,pid,args"], capture_output=True, text=True, check=True).stdout
    assert "service.py" in shown
    assert TRACE not in shown
    for seen in ("begun with $DATABASE_URL", "python3 service.py", "sleep 60", "/bin/sh -eu"):
        assert any(seen in line for line in told.command_lines), f"the watcher saw no {seen}"
    assert not [line for line in told.command_lines if TRACE in line]


def test_files_that_hold_a_secret_are_the_servers_own_users_alone(told: Told) -> None:
    holding = [file for file in _files(told.world.folder) if TRACE.encode() in file.read_bytes()]
    kept = {file.relative_to(told.world.data).parts[0] for file in holding}
    assert kept == {"run", "logs"}, "what supervisord starts with, and what the instances printed themselves"
    for file in holding:
        assert file.stat().st_uid == os.geteuid()
        assert file.stat().st_mode & 0o077 == 0, file
        assert file.relative_to(told.world.data).parts[1] in ("programs", "deployments")


def test_what_servers_and_agents_say_of_themselves_holds_no_secret(told: Told) -> None:
    for log in (told.world.folder / "server.log", *(told.world.data / "logs").glob("*.log")):
        assert TRACE not in log.read_text(errors="replace"), log


def test_the_user_of_steps_reads_no_file_that_holds_a_secret(told: Told, as_root: None) -> None:
    search = f"grep -rls {TRACE} {told.world.data} || true"
    other = {"user": ISOLATED_UID, "group": ISOLATED_UID, "extra_groups": []}
    found = subprocess.run(["sh", "-c", search], capture_output=True, text=True, cwd="/", **other)  # type: ignore[call-overload]
    known = [str(file) for file in _files(told.world.data) if TRACE.encode() in file.read_bytes()]
    by_name = [name for name in known if subprocess.run(["cat", name], capture_output=True, **other).returncode == 0]  # type: ignore[call-overload]
    assert known
    assert (found.stdout, by_name) == ("", [])


def _log(told: Told, step: dict[str, Any]) -> str:
    answer = told.world.api("GET", f"/api/v1/steps/{step['id']}/log")
    return "\n".join(line["text"] for line in answer["lines"])


def _client(told: Told) -> httpx.Client:
    token = (told.world.data / "admin-token").read_text().strip()
    return httpx.Client(base_url=told.world.address, headers={"authorization": f"Bearer {token}"}, timeout=30)


def _paths(told: Told, known: str, incidents: list[str]) -> list[str]:
    """A route of the API with all that the story gave it; none for the endless stream of events."""
    names: dict[str, list[str]] = {
        "{run}": told.runs,
        "{incident}": incidents,
        "{rollout}": [rollout["id"] for detail in told.details for rollout in detail["rollouts"]],
        "{release}": [detail["release"] for detail in told.details],
        "{step_run}": [step["id"] for step in told.steps],
        "{name}": ["staging"] if "environments" in known else ["sample"],
        "{digest}": [],
        "{stage}": ["staging"],
    }
    told_nothing_of = ("/accounts/", "/teams/", "/trains/", "/freezes/", "/delegations/", "/break-glass/", "/drills/")
    if known == "/api/v1/events" or any(noun in known for noun in told_nothing_of):
        return []
    found = [known if "{" in known else f"{known}?service=sample"]
    for name, values in names.items():
        found = [path.replace(name, value) for path in found for value in (values if name in path else [""])]
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


@contextmanager
def _watched(command_lines: set[str]) -> Iterator[None]:
    """Look at all processes again and again, and note every command line."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(over.wait, command_lines))
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(pause: Callable[[float], bool], command_lines: set[str]) -> None:
    while not pause(0.01):
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command_lines.add(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
