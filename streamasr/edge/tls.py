"""The TLS of the daemon: version 1.2 or newer, and certificates that may be renewed meanwhile.

    certificate = Certificate(settings)         # reads the files
    certificate.renew()                         # reads them again; the old ones stay if it fails

Connections that are open keep the certificate that they began with. One whose time is over is
shown all the same, with a warning in the log: some clients do not look.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from streamasr.edge.settings import Settings
from streamasr.errors import ConfigError

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""Between looks whether the files have changed."""
Stamp = tuple[tuple[int, int], ...]


class Certificate:
    """A certificate chain with its key, and the context that shows them to clients."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError for files that cannot be used."""
        self._files = _files_of(settings)
        self._stamp = self._stamp_now()
        self.context = _context(self._files)
        self._warn()

    @classmethod
    def of(cls, settings: Settings) -> Certificate | None:
        """That of the settings, None where they name none; raises ConfigError."""
        return cls(settings) if settings.server.tls_cert else None

    def renew(self, settings: Settings | None = None) -> None:
        """Read the files again, or those of new settings; raises ConfigError and keeps the old."""
        files = self._files if settings is None else _files_of(settings)
        _context(files)  # half of a new pair would be left in ours
        self._files, self._stamp = files, self._stamp_now()
        _fill(self.context, files)
        self._warn()

    async def watch(self, *, every_s: float = LOOK_S) -> None:
        """Renew whenever the files change, until cancelled."""
        seen = self._stamp
        while True:
            await asyncio.sleep(every_s)
            if (stamp := self._stamp_now()) in (seen, self._stamp):
                continue
            seen = stamp
            try:
                self.renew()
            except ConfigError as error:
                log.error("the TLS certificate in use stays: %s", error)
            else:
                log.info("the TLS certificate was renewed")

    def _warn(self) -> None:
        if fault := time_fault(self.context, self._files[0]):
            log.warning("clients will refuse the TLS certificate %s: %s", self._files[0], fault)

    def _stamp_now(self) -> Stamp:
        try:
            found = [Path(file).stat() for file in self._files]
        except OSError:
            return ()
        return tuple((item.st_mtime_ns, item.st_ino) for item in found)


def time_fault(server: ssl.SSLContext, certificate: str) -> str:
    """Why a client that trusts the certificate itself would refuse it now; empty if it would not.

    A handshake in memory tells it, for the standard library reads no dates.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up),
        server.wrap_bio(up, down, server_side=True),
    ]
    for end in [*ends, *ends]:  # each speaks twice
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""


def _files_of(settings: Settings) -> tuple[str, str]:
    return settings.server.tls_cert, settings.server.tls_key


def _context(files: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _fill(context, files)
    return context


def _fill(context: ssl.SSLContext, files: tuple[str, str]) -> None:
    try:
        # without a password nobody is asked for one at the terminal
        context.load_cert_chain(*files, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = error.strerror if isinstance(error, FileNotFoundError) else str(error)
        raise ConfigError(
            f"cannot use the TLS certificate {files[0]} with the key {files[1]}: {reason}",
            remedy="both PEM, and the key without a password",
        ) from error
