"""A real Envoy for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.routers.envoy_bench import EnvoyBench, running_envoy


@pytest.fixture
def envoy() -> Iterator[EnvoyBench]:
    with running_envoy() as bench:
        yield bench
