"""What lies in deploy/ fits the daemon that it is for."""

from __future__ import annotations

import json
import re
import urllib.request
from asyncio import to_thread
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect as open_websocket

from streamasr.edge.client import connect
from streamasr.edge.settings import load
from streamasr.errors import OverloadError
from tests.edge.daemon import daemon, pcm
from tests.fakes import tone

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()


async def scrape() -> str:
    """The metrics of a daemon that has seen a session, a refusal and an error."""
    async with daemon(limits__sessions=1) as running:
        async with connect(running.url, vad=False) as client:
            await client.send(pcm(tone(1.0)))
            with pytest.raises(OverloadError):
                async with connect(running.url):
                    pass
            await client.stop()
        await running.until(lambda: running.service.sessions == 0)
        async with open_websocket(running.url + "/v1/stream", proxy=None) as rude:
            await rude.send("no JSON")
            assert json.loads(await rude.recv())["type"] == "error"
        await running.until(lambda: running.service.sessions == 0)

        def get() -> bytes:
            with urllib.request.urlopen(running.http + "/metrics") as answer:
                body: bytes = answer.read()
                return body

        return (await to_thread(get)).decode()


def families(page: str) -> list[Metric]:
    """Those that we count; the client library adds when each began."""
    found = text_string_to_metric_families(page)
    return [family for family in found if not family.name.endswith("_created")]


def queries(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield variable["query"]


async def test_the_dashboard_asks_for_metrics_that_exist_and_for_all_of_them() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "streamasr.json").read_text())
    scraped = families(await scrape())
    samples: dict[str, set[str]] = {}
    for family in scraped:
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    scraped_by = {"job", "instance"}  # what Prometheus adds
    asked = set()
    for query in queries(dashboard):
        for name, labels in re.findall(r"\b(streamasr_\w+)(?:\{(.*?)\})?", query):
            assert name in samples, f"{name} does not exist: {query}"
            assert set(re.findall(r"(\w+)=~?\"", labels)) <= scraped_by
            asked.add(name)
        if grouped := re.search(r" by \((.*?)\)", query):
            (name, *_) = re.findall(r"\bstreamasr_\w+", query)
            by = set(re.split(r",\s*", grouped[1]))
            assert by <= samples[name] | scraped_by, f"no such label: {query}"
    for family in scraped:
        names = {sample.name for sample in family.samples}
        assert asked & names, f"{family.name} is on no panel"


async def test_every_metric_is_explained() -> None:
    found = {family.name for family in families(await scrape())}
    explained = set(re.findall(r"^\| `(streamasr_\w+?)(?:_total)?` \|", OPERATIONS, re.M))
    assert explained == found


def manifests() -> list[dict[str, Any]]:
    text = (DEPLOY / "kubernetes" / "streamasr.yaml").read_text()
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("manifest", manifests(), ids=lambda manifest: manifest["kind"])
def test_kubernetes_knows_every_word_of_the_manifests(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_word_that_kubernetes_does_not_know_is_noticed() -> None:
    manifest = next(item for item in manifests() if item["kind"] == "Deployment")
    manifest["spec"]["template"]["spec"]["terminationGracePeriod"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_the_manifests_fit_each_other_and_the_daemon(tmp_path: Path) -> None:
    by_kind = {manifest["kind"]: manifest for manifest in manifests()}
    config = tmp_path / "streamasr.toml"
    config.write_text(by_kind["ConfigMap"]["data"]["streamasr.toml"])
    settings = load(path=config)
    deployment = by_kind["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > settings.limits.drain_s
    (container,) = pod["containers"]
    assert container["ports"][0]["containerPort"] == settings.server.port
    probes = {container[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe")}
    assert probes == {"/readyz", "/healthz"}
    labels = deployment["template"]["metadata"]["labels"].items()
    assert by_kind["Service"]["spec"]["selector"].items() <= labels
    assert deployment["selector"]["matchLabels"].items() <= labels
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}


async def test_the_autoscaler_watches_metrics_that_exist() -> None:
    adapter = yaml.safe_load((DEPLOY / "kubernetes" / "prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    scraped = {family.name for family in families(await scrape())}
    asked = re.findall(r"streamasr_\w+", rule["metricsQuery"] + rule["seriesQuery"])
    assert asked
    assert set(asked) <= scraped
    scaler = next(item for item in manifests() if item["kind"] == "HorizontalPodAutoscaler")
    assert scaler["spec"]["metrics"][0]["pods"]["metric"]["name"] == rule["name"]["as"]
