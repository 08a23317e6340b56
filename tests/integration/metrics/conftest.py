"""A real Envoy for each test that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.integration.metrics.prometheus_bench import PrometheusBench, running_prometheus
from tests.integration.routers.envoy_bench import EnvoyBench, running_envoy


@pytest.fixture
def envoy() -> Iterator[EnvoyBench]:
    with running_envoy() as bench:
        yield bench


@pytest.fixture(scope="session")
def prometheus(require: Callable[[str, bool], None]) -> Iterator[PrometheusBench]:
    """One for all tests of a process."""
    with running_prometheus(require) as bench:
        yield bench
