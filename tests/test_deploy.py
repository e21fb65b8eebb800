"""What lies in deploy/ fits the daemon that it is for."""

from __future__ import annotations

import json
import re
import urllib.request
from asyncio import to_thread
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect as open_websocket

from streamasr.edge.client import connect
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
