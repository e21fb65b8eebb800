"""Telling the local network of our Wyoming port, by mDNS: Home Assistant then offers it.

async with announced("0.0.0.0", 10300): ...
"""

from __future__ import annotations

import logging
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

SERVICE = "_wyoming._tcp.local."
FAR_AWAY = ("203.0.113.1", 9)
"""An address of nobody's: connecting a datagram socket to it sends nothing, and tells which
address of ours leads outside."""


@asynccontextmanager
async def announced(
    host: str, port: int, *, interfaces: Sequence[str] | None = None
) -> AsyncIterator[str]:
    """Announce the port until the block ends; gives the name, empty without zeroconf.

    ``interfaces`` are the addresses of ours to speak on, all of them by default.
    """
    try:
        from zeroconf import InterfaceChoice
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf
    except ImportError:
        log.info("Wyoming is not announced: pip install 'streamasr[zeroconf]'")
        yield ""
        return
    name = f"streamasr-{uuid.getnode():012x}-{port}.{SERVICE}"
    address = _address(host)
    zeroconf = AsyncZeroconf(interfaces=list(interfaces or ()) or InterfaceChoice.Default)
    info = AsyncServiceInfo(SERVICE, name, addresses=[socket.inet_aton(address)], port=port)
    try:
        await zeroconf.async_register_service(info)
        log.info("Wyoming is announced as %s at %s", name, address)
        yield name
    finally:
        await zeroconf.async_unregister_all_services()
        await zeroconf.async_close()


def _address(host: str) -> str:
    """The IPv4 address that others reach us at."""
    if host not in ("0.0.0.0", "::", ""):
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(FAR_AWAY)
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address
