"""A real container engine, for what has to be taken by one."""

from __future__ import annotations

from tests.containers import podman

__all__ = ["podman"]
