"""Figures from Prometheus: the contract of sources, and a real server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.metrics.answering import END, Answering, answering, metric, own_certificate, question
from tests.integration.metrics.prometheus_bench import Native, PrometheusBench
from tests.integration.metrics.source_contract import PATIENCE_SECONDS, Asked, SourceContract
from tests.integration.routers.services import free_port

from tidegate.metrics.prometheus import PrometheusSource
from tidegate.metrics.source import SourceFailed
from tidegate.model.metric import Counted, Measured, MetricRule, NoFigures, Spread
from tidegate.model.recording import MetricKind


class ToldPrometheus:
    """Something that answers as a Prometheus would."""

    def __init__(self, server: Answering) -> None:
        self.server = server
        self.source = PrometheusSource(server.url)

    def rule(self, kind: MetricKind) -> MetricRule:
        return metric(kind, query='up{deployment="$deployment"}')

    def count(self, x: float) -> None:
        self.server.vector(({}, _written(x)))

    def distribution(self, edges: list[float], counts: list[float]) -> None:
        uppers = [*(f"{edge:g}" for edge in edges), "+Inf"]
        below = itertools.accumulate(counts)
        self.server.vector(*(({"le": upper}, _written(count)) for upper, count in zip(uppers, below, strict=True)))

    def values(self, values: list[float]) -> None:
        self.server.vector(*(({"instance": str(index)}, _written(one)) for index, one in enumerate(values)))

    def nothing(self) -> None:
        self.server.vector()

    def raw(self, answer: bytes) -> None:
        self.server.body = answer

    def refuses(self) -> None:
        self.server.status = 422
        self.server.body = json.dumps({"status": "error", "errorType": "execution", "error": "sorry\nnot now"}).encode()

    def impatient(self) -> None:
        self.source = PrometheusSource(self.server.url, longest_seconds=PATIENCE_SECONDS)

    def hangs(self) -> None:
        self.server.drip = True

    def drips(self) -> None:
        self.server.body, self.server.drip = b'{"status"', True


def _written(value: float) -> str:
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(str(value), str(value))


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as told:
        yield told


@pytest.fixture
def told(server: Answering) -> ToldPrometheus:
    return ToldPrometheus(server)


class TestPrometheusSource(SourceContract):
    """The contract."""

    def test_several_series_are_no_one_number(self, asked: Asked) -> None:
        asked.told.values([1, 2])
        assert "2 series where one number is needed; sum them" in asked.fails(MetricKind.RATE)

    def test_a_bucket_that_comes_twice_is_not_added_up(self, told: ToldPrometheus, asked: Asked) -> None:
        buckets = [({"le": "1", "path": path}, "3") for path in ("/a", "/b")]
        told.server.vector(*buckets, ({"le": "+Inf", "path": "/a"}, "4"))
        assert "sum by (le)" in asked.fails(MetricKind.HISTOGRAM)

    @pytest.mark.parametrize(
        ("buckets", "says"),
        [
            ([("1", "3")], "no bucket up to +Inf"),
            ([("1", "300"), ("+Inf", "3")], "buckets that do not grow"),
            ([("one", "3"), ("+Inf", "3")], "cannot be understood"),
        ],
    )
    def test_buckets_that_are_no_histogram_are_refused(
        self, told: ToldPrometheus, asked: Asked, buckets: list[tuple[str, str]], says: str
    ) -> None:
        told.server.vector(*(({"le": upper}, count) for upper, count in buckets))
        assert says in asked.fails(MetricKind.HISTOGRAM)

    def test_many_moments_are_not_one(self, told: ToldPrometheus, asked: Asked) -> None:
        told.server.says({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"], [2, "2"]]}]})
        assert "answers a matrix" in asked.fails()

    def test_a_part_of_the_figures_is_not_taken_for_the_whole(self, told: ToldPrometheus, asked: Asked) -> None:
        told.server.vector(({}, "7"), warnings=["store-2 did not answer"])
        assert "not whole: store-2 did not answer" in asked.fails()

    def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(self, server: Answering) -> None:
        with answering() as elsewhere:
            elsewhere.vector(({}, "7"))
            server.status, server.headers = 307, {"Location": f"{elsewhere.url}/api/v1/query"}
            source = PrometheusSource(server.url, lambda: "s3cret")
            with pytest.raises(SourceFailed, match="answers 307: redirects are not followed"):
                source.read(question(metric(query="$deployment")))
            assert elsewhere.asked == []
        ((_, _, headers),) = server.asked
        assert headers["Authorization"] == "Bearer s3cret"

    def test_the_token_is_read_anew_and_one_that_cannot_be_read_is_said(
        self, server: Answering, tmp_path: Path
    ) -> None:
        file = tmp_path / "prometheus-token"
        source = PrometheusSource(server.url, file.read_text)
        with pytest.raises(SourceFailed, match="the token for Prometheus cannot be read"):
            source.read(question(metric(query="$deployment")))
        server.vector(({}, "7"))
        for token in ("first", "second"):
            file.write_text(token)
            source.read(question(metric(query="$deployment")))
        assert [headers["Authorization"] for _, _, headers in server.asked] == ["Bearer first", "Bearer second"]

    def test_nobody_there_is_said(self) -> None:
        source = PrometheusSource(f"http://127.0.0.1:{free_port()}")
        with pytest.raises(SourceFailed, match="Prometheus does not answer: ") as failed:
            source.read(question(metric(query="$deployment")))
        assert failed.value.is_away

    def test_only_who_proves_to_be_it_gets_the_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = own_certificate(tmp_path / "certificate")
        with answering(certificate) as server:
            server.vector(({}, "7"))
            for url in (server.url, server.url.replace("https", "HTTPS")):
                with pytest.raises(SourceFailed, match="certificate verify failed"):
                    PrometheusSource(url, lambda: "s3cret").read(question(metric(query="$deployment")))
            assert server.asked == []
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            trusting = PrometheusSource(server.url, lambda: "s3cret")
            assert trusting.read(question(metric(query="$deployment"))) == Counted(7)

    def test_the_query_is_about_the_deployment_and_the_time(self, told: ToldPrometheus) -> None:
        told.count(1)
        query = 'sum(increase(orders{d="$deployment",s="$service",e="$environment",p=~"^/a$"}[$window]))'
        told.source.read(question(metric(query=query)))
        ((path, form, _),) = told.server.asked
        assert path == "/api/v1/query"
        assert form["query"] == [
            'sum(increase(orders{d="production-01a-2b",s="shop",e="production",p=~"^/a$"}[60000ms]))'
        ]
        assert float(form["time"][0]) == END.timestamp()

    def test_a_total_is_asked_for_beside_the_count(self, told: ToldPrometheus) -> None:
        told.count(3)
        rule = metric(query="a$deployment", total="b$deployment")
        assert told.source.read(question(rule)) == Counted(3, 3)
        assert [form["query"][0][0] for _, form, _ in told.server.asked] == ["a", "b"]


NEW, OLD = "production-new", "production-old"


def test_a_real_server_counts_for_each_deployment(prometheus: PrometheusBench) -> None:
    source = PrometheusSource(prometheus.url)
    for deployment, each in ((NEW, 2), (OLD, 10)):
        for instance in ("1", "2"):
            labels = {"deployment": deployment, "instance": instance}
            prometheus.count("real_orders_total", labels, [each * index for index in range(9)], END, every=15)
    rule = metric(query='sum(increase(real_orders_total{deployment="$deployment"}[$window]))')
    found = [source.read(question(rule, deployment)) for deployment in (NEW, OLD)]
    assert [one.x for one in found if isinstance(one, Counted)] == pytest.approx([16, 80])
    assert isinstance(source.read(question(rule, "production-nobody")), NoFigures)
    earlier = question(rule, NEW, begin=END - timedelta(hours=3), end=END - timedelta(hours=2))
    assert isinstance(source.read(earlier), NoFigures)


def test_classic_buckets_of_a_real_server_are_told_apart(prometheus: PrometheusBench) -> None:
    for upper, each in (("0.1", 3), ("0.5", 5), ("+Inf", 6)):
        labels = {"deployment": NEW, "le": upper}
        prometheus.count("real_seconds_bucket", labels, [each * index for index in range(9)], END, every=15)
    query = 'sum by (le) (increase(real_seconds_bucket{deployment="$deployment"}[$window]))'
    found = PrometheusSource(prometheus.url).read(question(metric(MetricKind.HISTOGRAM, query=query), NEW))
    assert isinstance(found, Spread)
    assert found.edges == (0.1, 0.5)
    assert found.counts == pytest.approx((12, 8, 4))


def test_a_native_histogram_of_a_real_server_has_its_own_buckets(prometheus: PrometheusBench) -> None:
    moments = [END - timedelta(seconds=15 * index) for index in range(8, -1, -1)]
    grown = {at: Native({-1: 4 * index, 3: 2 * index, 4: index}) for index, at in enumerate(moments, start=1)}
    prometheus.write("real_duration", {"deployment": NEW}, grown)
    query = 'sum(increase(real_duration{deployment="$deployment"}[$window]))'
    found = PrometheusSource(prometheus.url).read(question(metric(MetricKind.HISTOGRAM, query=query), NEW))
    assert isinstance(found, Spread)
    assert found.edges == (0.25, 0.5, 4.0, 8.0, 16.0)
    assert found.counts == pytest.approx((0, 16, 0, 8, 4, 0))


def test_gauges_of_a_real_server_are_values_of_each_instance(prometheus: PrometheusBench) -> None:
    for instance, value in (("1", 0.25), ("2", 0.75)):
        prometheus.write("real_memory", {"deployment": NEW, "instance": instance}, {END: value})
    rule = metric(MetricKind.VALUES, query='real_memory{deployment="$deployment"}')
    assert PrometheusSource(prometheus.url).read(question(rule, NEW)) == Measured((0.25, 0.75))


@pytest.mark.parametrize(
    ("query", "says"),
    [("sum($deployment", "parse error"), ('rate(up{d="$deployment"})', "expected type range vector")],
)
def test_a_real_server_says_what_is_wrong_with_a_query(prometheus: PrometheusBench, query: str, says: str) -> None:
    with pytest.raises(SourceFailed, match=f"Prometheus refuses the query: .*{says}") as failed:
        PrometheusSource(prometheus.url).read(question(metric(query=query)))
    assert not failed.value.is_away


def test_nothing_divided_by_nothing_is_no_data(prometheus: PrometheusBench) -> None:
    rule = metric(query='vector(0) / vector(0) or up{d="$deployment"}')
    assert isinstance(PrometheusSource(prometheus.url).read(question(rule)), NoFigures)
