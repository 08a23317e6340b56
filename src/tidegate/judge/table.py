"""Batches as columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.judge.evidence import Floats
from tidegate.model.figures import Batch, Counters

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Column:
    """One side's figures in each of n batches: zeros where it is not `known`.

    `latency` has n rows and, where there are e edges, e + 1 places.
    """

    known: Flags
    requests: Floats
    errors: Floats
    latency: Floats


@dataclass(frozen=True, slots=True)
class Table:
    """All batches of a rollout; `edges` are the upper edges of the latency buckets in milliseconds."""

    step: npt.NDArray[np.int_]
    seconds: Floats
    edges: Floats
    canary: Column
    baseline: Column


def tabulate(batches: Sequence[Batch]) -> Table:
    """The table of the batches.

    Latency that was counted in other buckets than the latest is left out: it cannot be compared.
    """
    edges = _latest_edges(batches)
    return Table(
        step=np.array([batch.step for batch in batches], dtype=np.int_),
        seconds=np.array([(batch.end - batch.begin).total_seconds() for batch in batches], dtype=np.float64),
        edges=np.array(edges, dtype=np.float64),
        canary=_column([batch.canary for batch in batches], edges),
        baseline=_column([batch.baseline for batch in batches], edges),
    )


def _latest_edges(batches: Sequence[Batch]) -> tuple[float, ...]:
    for batch in reversed(batches):
        for side in (batch.canary, batch.baseline):
            if side and side.edges:
                return side.edges
    return ()


def _column(sides: Sequence[Counters | None], edges: tuple[float, ...]) -> Column:
    nothing = (0,) * (len(edges) + 1)
    requests = np.array([side.requests if side else 0 for side in sides], dtype=np.float64)
    errors = np.array([side.errors if side else 0 for side in sides], dtype=np.float64)
    latency = [side.latency if side and side.latency and side.edges == edges else nothing for side in sides]
    return Column(
        known=np.array([side is not None for side in sides], dtype=np.bool_),
        requests=requests,
        # the two counters are read one after the other: never more errors than requests
        errors=np.minimum(errors, requests),
        latency=np.array(latency, dtype=np.float64).reshape(len(sides), len(nothing)),
    )
