"""Watching all repositories at once: what is refused when one is added, and what keeps one from being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tests.integration.api.world import eventually
from tests.integration.engine.shop import OWNER, PLAIN, SHOP, Shop
from tests.integration.engine.test_creation import BROKEN
from tests.integration.engine.watched import EVERY, Watched
from tests.integration.integrations.conftest import TOKEN, Repository

from tidegate.engine import repositories as repositories_module
from tidegate.engine.clock import SystemClock
from tidegate.engine.refusal import Refusal
from tidegate.engine.repositories import Repositories
from tidegate.security.secret_box import SecretBox


def _without_file(repository: Repository) -> None:
    repository.git("rm", "--quiet", "tidegate.yaml")
    repository.commit("without")


def _not_committed(repository: Repository) -> None:
    _without_file(repository)
    (repository.path / "tidegate.yaml").write_text(PLAIN)


def _link(repository: Repository) -> None:
    (repository.path / "tidegate.yaml").unlink()
    (repository.path / "tidegate.yaml").symlink_to("/nowhere")
    repository.commit("a link")


@pytest.mark.parametrize(
    ("spoil", "says", "remedy"),
    [
        (_without_file, "tidegate.yaml is not in commit", "tidegate init, then commit the file"),
        (_not_committed, "tidegate.yaml is there, but not committed", "git -C {path} add tidegate.yaml && git"),
        (_link, "is a link or a folder", "commit a corrected file"),
        (
            lambda repository: repository.commit("broken", tidegate_yaml=BROKEN),
            'tidegate.yaml:2:1: unknown key "modus"',
            "tidegate validate tidegate.yaml",
        ),
        (
            lambda repository: repository.path.rename(repository.path.with_name("away")),
            "there is no folder {path}",
            "tidegate service add REPOSITORY",
        ),
    ],
    ids=["no file", "not committed", "a link", "broken", "no repository"],
)
def test_what_cannot_be_a_service_is_refused_with_the_next_command_and_leaves_nothing(
    watched: Watched, spoil: Callable[[Repository], object], says: str, remedy: str
) -> None:
    spoil(watched.repository)
    refused = watched.shop.refuses(watched.add, Refusal.INVALID)
    path = watched.repository.path
    assert says.format(path=path) in str(refused)
    assert remedy.format(path=path) in str(refused.remedy)
    assert not [entry for entry in watched.mirrors.folder.iterdir() if entry.suffix != ".lock"]


def test_a_repository_of_a_known_service_is_refused_and_that_service_keeps_its_own_mirror(
    watched: Watched, tmp_path: Path
) -> None:
    watched.add()
    before = sorted(path.name for path in watched.mirrors.of(SHOP).folder.rglob("*"))
    (tmp_path / "other").mkdir()
    other = Watched(watched.shop, Repository(tmp_path / "other"), tmp_path)
    other.repository.git("init", "--quiet", "--initial-branch=main")
    other.commit("of another repository")
    refused = watched.shop.refuses(other.add, Refusal.CONFLICT)
    assert str(refused) == f"there is a service 'shop' already, from {watched.repository.path}"
    assert sorted(path.name for path in watched.mirrors.of(SHOP).folder.rglob("*")) == before
    watched.commit("second")
    assert watched.look() == ["second"]


@pytest.fixture
def closed(watched: Watched, host: str) -> str:
    """The address of the repository on a host that opens to a credential only."""
    return f"{host}/shop/.git"


def test_a_closed_repository_is_read_with_its_secret_and_the_refusal_says_how_to_set_it(
    watched: Watched, closed: str
) -> None:
    refused = watched.shop.refuses(lambda: watched.repositories.describe(closed, "shop"), Refusal.INVALID)
    assert refused.remedy == f"tidegate secret set shop GIT && tidegate service add {closed} --credential GIT"
    named = watched.shop.refuses(
        lambda: watched.repositories.describe(closed, "shop", credential="FORGE"), Refusal.INVALID
    )
    assert (str(named), named.remedy) == ("the secret FORGE of shop is not set", "tidegate secret set shop FORGE")
    watched.shop.services.set_secret(SHOP, "FORGE", f"robot:{TOKEN}", OWNER)
    service, pushed = watched.repositories.describe(closed, "shop", credential="FORGE")
    assert (service.repository, service.credential) == (closed, "FORGE")
    assert pushed.change.subject == "first"


def test_a_credential_that_the_key_does_not_open_is_said_and_new_commits_are_run_once_it_is_set_again(
    watched: Watched, closed: str, tmp_path: Path
) -> None:
    watched.shop.services.set_secret(SHOP, "FORGE", f"robot:{TOKEN}", OWNER)
    service, pushed = watched.repositories.describe(closed, "shop", credential="FORGE")
    watched.shop.services.add(service, pushed, OWNER)
    (tmp_path / "secret-key").write_bytes(Fernet.generate_key())
    watched.shop.restart(secrets=SecretBox(tmp_path / "secret-key"))
    again = Repositories(watched.shop.parts, watched.mirrors, watched.shop.services, EVERY)
    again.look(watched.service())
    trouble = str(watched.service().trouble)
    assert "was not sealed with the key in" in trouble
    assert "set the secret again: tidegate secret set" in trouble
    watched.shop.services.set_secret(SHOP, "FORGE", f"robot:{TOKEN}", OWNER)
    watched.commit("second")
    again.look(watched.service())
    assert [subject for _, subject in watched.runs()] == ["first", "second"]
    assert watched.service().trouble is None


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repositories are looked at again and again without a pause to speak of."""
    monkeypatch.setattr(repositories_module, "LOOK_EVERY", timedelta(milliseconds=20))


@contextmanager
def _running(repositories: Repositories) -> Iterator[None]:
    repositories.start()
    try:
        yield
    finally:
        repositories.stop(20)


def _watching(shop: Shop, watched: Watched) -> Repositories:
    """On the machine's clock."""
    return Repositories(replace(shop.parts, clock=SystemClock()), watched.mirrors, shop.services, EVERY)


def test_a_running_server_notices_commits_by_itself(watched: Watched, at_once: None) -> None:
    watched.add()
    with _running(_watching(watched.shop, watched)):
        watched.commit("second")
        eventually(lambda: watched.runs()[-1][1] == "second", "the run of the second commit")
        watched.commit("third")
        eventually(lambda: watched.runs()[-1][1] == "third", "the run of the third commit")


def test_one_repository_that_cannot_be_read_keeps_no_other_from_being_looked_at(
    watched: Watched, at_once: None, tmp_path: Path
) -> None:
    (tmp_path / "away").mkdir()
    gone = Watched(watched.shop, Repository(tmp_path / "away"), tmp_path)
    gone.repository.git("init", "--quiet", "--initial-branch=main")
    gone.commit("first", PLAIN.replace("service: shop", "service: a-first-one"))
    gone.add()
    watched.add()
    (tmp_path / "away").rename(tmp_path / "gone")
    with _running(_watching(watched.shop, watched)):
        watched.commit("second")
        eventually(lambda: watched.runs()[-1][1] == "second", "the run of the second commit")
        assert eventually(lambda: gone.service("a-first-one").trouble, "the word about the other one")


def test_a_database_that_cannot_be_used_for_a_while_does_not_end_the_watching(
    watched: Watched, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    watched.add()
    database = watched.shop.database
    folder = Path(database.url.removeprefix("sqlite:///")).parent
    database.close()
    folder.rename(folder.with_name("away"))
    with _running(_watching(watched.shop, watched)):
        eventually(lambda: "the database cannot be used" in caplog.text, "the word about it")
        folder.with_name("away").rename(folder)
        watched.commit("second")
        eventually(lambda: watched.runs()[-1][1] == "second", "the run of the second commit")
    assert "Traceback" not in caplog.text


def test_a_removed_service_is_looked_at_no_more(watched: Watched) -> None:
    watched.add()
    watched.shop.services.remove(SHOP, OWNER)
    watched.shop.settle()
    watched.commit("second")
    before = watched.runs()
    watched.repositories._look_at_due()
    assert watched.runs() == before
