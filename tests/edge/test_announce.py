from __future__ import annotations

import sys

import pytest

from streamasr.edge.announce import SERVICE, announced


async def test_the_port_is_announced_and_found() -> None:
    from zeroconf.asyncio import AsyncZeroconf

    async with (
        announced("127.0.0.1", 10_300, interfaces=["127.0.0.1"]) as name,
        AsyncZeroconf(interfaces=["127.0.0.1"]) as finder,
    ):
        info = await finder.async_get_service_info(SERVICE, name, timeout=10_000)
        assert info is not None
        assert info.port == 10_300
        assert info.parsed_addresses() == ["127.0.0.1"]


async def test_without_the_package_nothing_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    async with announced("127.0.0.1", 1) as name:
        assert name == ""
