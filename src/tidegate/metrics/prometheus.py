"""Figures from Prometheus, or whatever else answers its HTTP API: Thanos, Mimir, VictoriaMetrics."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tidegate.metrics.prometheus_answer import distribution, numbers, one_number
from tidegate.metrics.question import Question, filled
from tidegate.metrics.source import SourceFailed
from tidegate.model.metric import Counted, Figures, Measured, NoFigures
from tidegate.model.recording import MetricKind

LARGEST_ANSWER = 1024 * 1024
LONGEST_SECONDS = 10.0
_LONGEST_WORDS = 200
_CONNECT_SECONDS = 3.0


class PrometheusSource:
    """Asks a Prometheus server by instant queries at the end of a window.

    It follows no redirect and uses no proxy: `token` goes to the configured address alone. It is asked for before
    every question, so that it may change.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str] | None = None,
        *,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._token = token
        self._longest_seconds = longest_seconds
        self._context: ssl.SSLContext | None = None

    def read(self, question: Question) -> Figures | NoFigures:
        """As `FigureSource.read`."""
        rule = question.rule
        found = self._ask(rule.query, question)
        match rule.kind:
            case MetricKind.HISTOGRAM:
                return distribution(found)
            case MetricKind.VALUES:
                values = numbers(found)
                return values if isinstance(values, NoFigures) else Measured(values)
            case MetricKind.RATE:
                count = one_number(found)
        if isinstance(count, NoFigures):
            return count
        if count < 0:
            raise SourceFailed(f"Prometheus answers {count:g}, which is no count")
        if rule.total is None:
            return Counted(count)
        total = one_number(self._ask(rule.total, question))
        if isinstance(total, NoFigures):
            return replace(total, reason=f"{total.reason} to the query of `total`")
        if total < 0:
            raise SourceFailed(f"Prometheus answers {total:g} to the query of `total`, which is no count")
        return Counted(count, total)

    def check(self) -> None:
        """Ask for nothing in particular. Raises SourceFailed where Prometheus cannot be asked."""
        one_number(self._answer({"query": "vector(1)"}))

    def _ask(self, query: str, question: Question) -> Any:
        """The `data` of the answer about a question. Raises SourceFailed."""
        return self._answer({"query": filled(query, question), "time": f"{question.end.timestamp():.3f}"})

    def _answer(self, asked: dict[str, str]) -> Any:
        # loaded here, so that a server whose services have no such metrics stays small
        import httpx

        try:
            status, body = self._post(asked | {"timeout": f"{self._longest_seconds:g}s"})
        except httpx.TimeoutException as error:
            raise self._too_slow() from error
        except httpx.HTTPError as error:
            why = _one_line(str(error)) or type(error).__name__
            raise SourceFailed(f"Prometheus does not answer: {why}", is_away=True) from error
        return _data(status, body)

    def _post(self, form: dict[str, str]) -> tuple[int, bytes]:
        """Raises SourceFailed, httpx.HTTPError."""
        import httpx

        ends_at = time.monotonic() + self._longest_seconds
        limits = httpx.Timeout(self._longest_seconds, connect=min(_CONNECT_SECONDS, self._longest_seconds))
        body = bytearray()
        with (
            httpx.Client(timeout=limits, follow_redirects=False, trust_env=False, verify=self._trusted()) as client,
            client.stream("POST", self._url, data=form, headers=self._headers()) as answer,
        ):
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise SourceFailed(f"Prometheus answers more than {LARGEST_ANSWER // 1024} KiB; sum more")
                if time.monotonic() > ends_at:
                    raise self._too_slow()
            return answer.status_code, bytes(body)

    def _trusted(self) -> ssl.SSLContext | bool:
        """The authorities that this machine trusts, `SSL_CERT_FILE` among them; read once, which takes a while."""
        if self._url.lower().startswith("http:"):
            return False
        self._context = self._context or ssl.create_default_context()
        return self._context

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "tidegate", "Accept": "application/json"}
        if self._token is None:
            return headers
        try:
            return headers | {"Authorization": f"Bearer {self._token()}"}
        except (OSError, ValueError) as error:
            raise SourceFailed(f"the token for Prometheus cannot be read: {error}") from error

    def _too_slow(self) -> SourceFailed:
        return SourceFailed(f"Prometheus did not answer within {self._longest_seconds:g} seconds", is_away=True)


def _data(status: int, body: bytes) -> Any:
    if 300 <= status < 400:
        raise SourceFailed(
            f"Prometheus answers {status}: redirects are not followed; give its own address", is_away=True
        )
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    said = document if isinstance(document, dict) else {}
    if said.get("status") == "error":
        raise SourceFailed(f"Prometheus refuses the query: {_one_line(str(said.get('error', '')))}")
    if status != 200 or said.get("status") != "success":
        raise SourceFailed(f"Prometheus answers {status} and not what its HTTP API answers")
    if warnings := said.get("warnings"):
        # a federation says so that a part of its stores did not answer: figures of the rest are no figures
        first = warnings[0] if isinstance(warnings, list) else warnings
        raise SourceFailed(f"Prometheus warns that its answer is not whole: {_one_line(str(first))}")
    return said.get("data")


def _one_line(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text[: _LONGEST_WORDS + 1]).strip()
    return printable if len(printable) <= _LONGEST_WORDS else f"{printable[: _LONGEST_WORDS - 1]}…"
