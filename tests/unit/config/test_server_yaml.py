"""The server's own configuration."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.config import server_yaml
from tidegate.config.problem import ConfigError
from tidegate.model.channel import Channel, Topic
from tidegate.model.environment import DEFAULT_ENVIRONMENTS, Environment, PrometheusSettings, ServerConfiguration
from tidegate.model.ids import EnvironmentName
from tidegate.model.provider_person import ProviderSettings
from tidegate.model.recurrence import Recurrence
from tidegate.model.schedule import Schedule

LEADS = "notifications: [{name: leads, urls_file: u"
METRICS = "metrics: {prometheus: {"
OIDC = "sign_in: {oidc: {issuer: 'https://id.example', client_id: tidegate"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        server_yaml.load(text, "s.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_without_a_file_there_are_three_environments_and_only_production_is_protected(tmp_path: Path) -> None:
    configuration = server_yaml.read(tmp_path)
    assert configuration == ServerConfiguration(DEFAULT_ENVIRONMENTS, timedelta(seconds=30))
    assert {one.name: one.protected for one in configuration.environments.values()} == {
        **{"dev": False, "staging": False},
        "production": True,
    }


def test_a_file_says_which_environments_there_are(tmp_path: Path) -> None:
    text = "environments: {test: {}, live: {protected: true, target: local, router: envoy}}\npoll_interval: 2m\n"
    (tmp_path / server_yaml.FILE).write_text(text)
    test, live = EnvironmentName("test"), EnvironmentName("live")
    assert server_yaml.read(tmp_path) == ServerConfiguration(
        {test: Environment(test, False), live: Environment(live, True)}, timedelta(minutes=2)
    )


def test_a_file_that_says_nothing_of_environments_keeps_the_three() -> None:
    assert server_yaml.load("poll_interval: 5s").environments == DEFAULT_ENVIRONMENTS


def test_a_provider_is_read_with_what_goes_without_saying() -> None:
    assert server_yaml.load(f"{OIDC}, scopes: [groups], teams: {{/staff: everybody}}}}}}").provider == ProviderSettings(
        "https://id.example", "tidegate", scopes=("openid", "groups"), teams={"/staff": "everybody"}
    )
    assert server_yaml.load("address: https://tidegate.example/").address == "https://tidegate.example"
    assert server_yaml.load("sign_in: {oidc: {issuer: 'http://127.0.0.1:80', client_id: t}}").provider is not None
    assert server_yaml.load("address: http://localhost:8470").provider is None


def test_channels_are_read_with_what_goes_without_saying() -> None:
    text = """
notifications:
  - {name: all, urls_file: all-urls}
  - {name: leads, urls_file: u, about: [approval, break-glass], services: [billing-*], environments: [production]}
"""
    every, leads = server_yaml.load(text).channels
    assert every == Channel("all", "all-urls")
    assert leads.about == {Topic.APPROVAL, Topic.BREAK_GLASS}
    assert (leads.services, leads.environments) == (("billing-*",), ("production",))
    assert server_yaml.load("poll_interval: 5s").channels == ()


def test_the_cache_has_a_limit_that_the_file_can_change() -> None:
    assert server_yaml.load("poll_interval: 5s").cache == 10 * 1024**3
    assert server_yaml.load("cache: 512MiB").cache == 512 * 1024**2


def test_prometheus_is_where_the_file_says() -> None:
    assert server_yaml.load("poll_interval: 5s").prometheus is None
    text = "metrics: {prometheus: {url: 'https://p.example:9090/prom', token_file: prometheus-token}}"
    assert server_yaml.load(text).prometheus == PrometheusSettings("https://p.example:9090/prom", "prometheus-token")
    assert server_yaml.load("metrics: {prometheus: {url: 'http://127.0.0.1:9090', token_file: t}}").prometheus


def test_a_file_that_is_not_text_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / server_yaml.FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"tidegate-server\.yaml:1:1: this is not UTF-8"):
        server_yaml.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("environments: {}", 's.yaml:1:15: "environments" is empty'),
        ("environments: {a: }", 's.yaml:1:16: "a" has no value'),
        ("environments: {A B: {}}", 's.yaml:1:16: "A B" is not the name of an environment'),
        ("environments: {a: {protcted: true}}", 's.yaml:1:20: unknown key "protcted" (did you mean "protected"?)'),
        ("environments: {protected: {x: 1}}", 's.yaml:1:28: unknown key "x" (known here: "protected", "target"'),
        ("environments: {a: {target: ssh}}", 's.yaml:1:28: "ssh" is not supported yet (use one of "local")'),
        ("environments: {a: {target: locl}}", 's.yaml:1:28: "locl" is none of "local" (did you mean "local"?)'),
        ("environments: {a: {router: none}}", 's.yaml:1:28: "none" is not supported yet (use one of "envoy")'),
        ("environments: {a: {secrets: {}}}", 's.yaml:1:20: "secrets" does not belong here (secrets never stand'),
        ("templates: {}", 's.yaml:1:1: "templates" is not supported yet'),
        ("metrics: {prometheus: {}}", 's.yaml:1:23: "url" is missing'),
        ("metrics: {prometeus: {url: x}}", 's.yaml:1:11: unknown key "prometeus" (did you mean "prometheus"?)'),
        ("metrics: {datadog: {}}", 's.yaml:1:11: "datadog" is not supported yet'),
        (f"{METRICS}url: 'ftp://p'}}}}", 's.yaml:1:29: "ftp://p" is no http:// or https:// address'),
        (f"{METRICS}url: 'https://u:p@p.example'}}}}", "s.yaml:1:29: an address in a file holds no password"),
        (f"{METRICS}url: 'https://p.example', token: x}}}}", 's.yaml:1:50: "token" does not belong here (secrets'),
        (f"{METRICS}url: 'http://p.example', token_file: t}}}}", "s.yaml:1:23: a token is not sent without encrypt"),
        ("poll_interval: 0s", "s.yaml:1:16: '0s' is no time at all"),
        ("cache: 10GB", "s.yaml:1:8: '10GB' is not a size; write one like 64MiB"),
        ("address: tidegate.example", 's.yaml:1:10: "tidegate.example" is not the address of this server'),
        ("address: http://tidegate.example", 's.yaml:1:10: "http://tidegate.example" does not begin with https://'),
        ("address: https://a.example/b", 's.yaml:1:10: "https://a.example/b" has a path'),
        ("sign_in: {oidc: {client_id: t}}", 's.yaml:1:17: "issuer" is missing'),
        (f"{OIDC}, client_secret: x}}}}", 's.yaml:1:69: "client_secret" does not belong here (secrets never stand'),
        (f"{OIDC}, client_secret_file: ../x}}}}", 's.yaml:1:89: "../x" is not the name of a file in the data folder'),
        (f"{OIDC}, scopes: [a b]}}}}", 's.yaml:1:78: "a b" is not a scope'),
        (f"{OIDC}, teams: {{staff: Our Team}}}}}}", 's.yaml:1:84: "Our Team" is not the name of a team'),
        ("sign_in: {oidc: {issuer: 'http://id.example', client_id: t}}", 's.yaml:1:26: "http://id.example" does not'),
        (
            f"{LEADS}, urls: json://x}}]",
            's.yaml:1:45: "urls" does not belong here (addresses hold secrets, so',
        ),
        (f"{LEADS}, about: [aproval]}}]", 's.yaml:1:53: "aproval" is none of "approval", "break-glass"'),
        (f"{LEADS}, environments: [prod]}}]", 's.yaml:1:60: there is no environment "prod"'),
        (f"{LEADS}}}, {{name: leads, urls_file: v}}]", 's.yaml:1:53: there is a channel "leads" already'),
        ("notifications: [{name: leads}]", 's.yaml:1:17: "urls_file" is missing'),
        ("notifications: [{name: leads, urls_file: /etc/x}]", 's.yaml:1:42: "/etc/x" is not the name of a file in the'),
        ("cache: 10", "s.yaml:1:8: '10' is not a size; write one like 64MiB"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(text: str, problem: str) -> None:
    (only,) = problems(text)
    assert only.startswith(problem)


def test_an_environment_says_when_its_services_are_drilled_and_where_the_token_of_alerts_is() -> None:
    text = "environments: {a: {drills: {every: 7d}}, b: {drills: {cron: '30 3 * * mon', timezone: Europe/London}}}\n"
    configuration = server_yaml.load(text + "alerts: {token_file: t}")
    rules = {str(name): one.drills for name, one in configuration.environments.items()}
    assert rules == {
        "a": Recurrence(every=timedelta(days=7)),
        "b": Recurrence(schedule=Schedule("30 3 * * mon", "Europe/London")),
    }
    assert configuration.alerts_token_file == "t"
    for wrong in ("{}", "{every: 7d, cron: '0 3 * * *', timezone: UTC}", "{cron: '0 3 * * *'}", "{timezone: UTC}"):
        (problem,) = problems(f"environments: {{a: {{drills: {wrong}}}}}")
        assert 'expected "every", or "cron" with its "timezone"' in problem and "s.yaml:1:" in problem
    assert any("secrets never stand in this file" in one for one in problems("alerts: {token: s3cret}"))
