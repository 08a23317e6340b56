"""A server with somebody of every role, one of everything that there is, and secrets that no answer may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Column, select

from tidegate.model.ids import EnvironmentName, ServiceName
from tidegate.model.people import Role
from tidegate.model.provider_person import ProviderSettings
from tidegate.model.train import Train
from tidegate.security.permission import AGENT_PERMISSIONS, PERMISSIONS, Permission
from tidegate.store.people_tables import access_token
from tidegate.store.sign_in_tables import browser_session, one_time_link, password
from tidegate.store.tables import agent, secret

from .provider import CLIENT, a_provider
from .provider import SECRET as CLIENT_SECRET
from .test_people import account
from .test_sign_in import PASSWORD, browser, enter
from .world import AGENT, World, a_world

VALUE, CHANNEL_KEY = "value-of-a-secret-of-shop", "key-in-a-channels-address"
OF_MAIL = "approver-of-mail"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks: with that token, and these permissions for everything."""

    name: str
    token: str | None
    permissions: frozenset[Permission]

    @property
    def only_of_mail(self) -> bool:
        """Whether its role counts for another service than the one that is asked about."""
        return self.name == OF_MAIL


@dataclass(frozen=True, slots=True)
class Everybody:
    """The world, who is in it from who may least to who may most, what there is, and what nobody may see."""

    world: World
    senders: tuple[Sender, ...]
    known: Mapping[str, str]
    """What there is, by the name of the field or of the path's parameter."""

    hidden: Mapping[str, str]


@contextmanager
def everybody(folder: Path, database: str | None = None) -> Iterator[Everybody]:
    """That server, served, ended afterwards."""
    with a_provider() as provider:
        settings = ProviderSettings(provider.address, CLIENT, "oidc-secret", "Keycloak")
        (folder / "oidc-secret").write_text(CLIENT_SECRET + "\n")
        (folder / "leads-urls").write_text(f"json://127.0.0.1:9/{CHANNEL_KEY}\n")
        with a_world(folder, provider=settings, unknown_tokens=100_000, database=database) as world:
            known = _what_there_is(world)
            senders = tuple(_senders(world))
            known["delegation"] = world.post("/delegations", {"giver": "admin", "taker": "operator"})["id"]
            yield Everybody(world, senders, known, _what_is_hidden(world, senders))


def _what_there_is(world: World) -> dict[str, str]:
    """A shop in production, its next release at the gate, a broken glass, and one of everything else."""
    world.trains["payments"] = Train("payments", (ServiceName("mail"),), EnvironmentName("production"))
    first = world.add_shop()
    world.build()
    shipped = world.waits(first)
    glass = world.post(f"/runs/{first}/break-glass", {"reason": "the sale has begun"})
    rollout = shipped["rollouts"][0]["id"]
    run = world.push()
    world.build()
    found = world.waits(run)
    for name in ("mail", "gone"):
        world.post("/services", {"repository": f"/repositories/{name}", "name": name})
    world.api.services.set_secret("shop", "KEY", VALUE, world.owner.actor)
    account(world, "spare")
    world.put("/teams/spares", {"members": ["spare"]})
    world.post("/accounts/spare/addresses", {"address": "spare@example.com"})
    world.post("/agents/spare/token")
    ends = (world.clock.now() + timedelta(days=1)).isoformat()
    freeze = world.post("/freezes", {"environment": "staging", "ends": ends, "reason": "a move"})
    incident = world.post("/incidents", {"service": "shop", "environment": "staging", "reason": "slow"})
    with world.client(AGENT) as agent_one:
        digest = agent_one.put("/api/v1/artifacts", content=b"bytes").json()["digest"]
    return {
        "service": "shop", "stage": "production", "environment": "production", "secret": "KEY",
        "run": run, "release": found["release"], "rollout": rollout, "step_run": found["steps"][0]["id"],
        "digest": digest, "glass": glass["id"], "freeze": freeze["id"], "incident": incident["id"], "channel": "leads",
        "drill": "01hzzzzzzzzzzzzzzzzzzzzzzz",
        "address": "spare@example.com", "fingerprint": "SHA256:" + "A" * 43, "question": f"{run}-1-1-0",
        "grant": world.post("/accounts/spare/grants", {"role": "viewer"})["id"],
        "token": world.get("/tokens")[0]["id"], "ends": ends, "until": ends,
    }  # fmt: skip


def _senders(world: World) -> Iterator[Sender]:
    yield Sender("nobody", None, frozenset())
    yield Sender("agent one", world.post("/agents/one/token")["token"], AGENT_PERMISSIONS)
    of_mail = account(world, OF_MAIL, {"role": "approver", "service": "mail"})
    yield Sender(OF_MAIL, of_mail, PERMISSIONS[Role.APPROVER])
    for role in sorted(Role, key=lambda one: len(PERMISSIONS[one])):
        yield Sender(role.value, account(world, role.value, {"role": role.value}), PERMISSIONS[role])


def _what_is_hidden(world: World, senders: tuple[Sender, ...]) -> dict[str, str]:
    """What no answer may hold, by what it is."""
    world.put("/accounts/spare/password", {"password": PASSWORD})
    hidden = {f"the token of {one.name}": one.token for one in senders if one.token}
    link = world.post("/accounts/spare/password-link")["address"]
    with browser(world) as client:
        enter(client, "spare")
        cookies = list(client.cookies.jar)
        address = client.get("/sign-in/oidc").headers["location"]
        cookies += list(client.cookies.jar)
    hidden |= {f"the cookie {one.name}": one.value for one in cookies if one.value}
    sent = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    hidden |= {f"the provider's {name}": sent[name] for name in ("state", "nonce", "code_challenge")}
    hidden |= {
        "a password": PASSWORD, "a secret of shop": VALUE, "a channel's address": CHANNEL_KEY,
        "the client's secret": CLIENT_SECRET, "the code of a link": parse_qs(urlsplit(link).query)["code"][0],
        "a sign-in code": world.api.sign_in.new_code(), "a traceback": "Traceback (most recent",
    }  # fmt: skip
    kept: list[Column[str]] = [
        password.c.hash, one_time_link.c.code_hash, browser_session.c.cookie_hash, access_token.c.token_hash,
        agent.c.token_hash, secret.c.value,
    ]  # fmt: skip
    with world.database.reading() as connection:
        for column in kept:
            values = connection.execute(select(column).where(column.is_not(None))).scalars().all()
            assert values, column
            hidden |= {f"{column} {number}": value for number, value in enumerate(values)}
    return hidden
