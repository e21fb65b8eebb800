"""Real certificates, real handshakes."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamasr.edge.tls import Certificate
from streamasr.errors import ConfigError
from tests.edge.daemon import settings_of
from tests.edge.test_server import certificate

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl makes the certificates"
)


def of(cert: Path, key: Path) -> Certificate:
    found = Certificate.of(settings_of(server__tls_cert=str(cert), server__tls_key=str(key)))
    assert found is not None
    return found


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def shown(mine: Certificate, client: ssl.SSLContext | None = None) -> bytes:
    """The certificate that a client sees, in DER."""
    client = client or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    def serve(sock: socket.socket) -> None:
        try:
            mine.context.wrap_socket(sock, server_side=True).close()
        except OSError:
            sock.close()

    with pair() as (ours, theirs):
        thread = threading.Thread(target=serve, args=(theirs,))
        thread.start()
        try:
            with client.wrap_socket(ours) as wrapped:
                return wrapped.getpeercert(binary_form=True) or b""
        finally:
            thread.join()


def der(cert: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


def test_settings_without_a_certificate_have_none() -> None:
    assert Certificate.of(settings_of()) is None


def dated(folder: Path, start: str, end: str) -> tuple[Path, Path]:
    """A certificate for a time of its own, YYYYMMDD."""
    _, key = certificate(folder)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    asked = ["req", "-new", "-key", str(key), "-out", "req.pem", "-subj", "/CN=localhost"]
    signed = ["ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", str(key)]
    signed += ["-in", "req.pem", "-out", "dated.pem"]
    signed += ["-startdate", f"{start}000000Z", "-enddate", f"{end}000000Z"]
    for arguments in (asked, signed):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    return folder / "dated.pem", key


@pytest.mark.parametrize(
    ("start", "end", "fault"),
    [
        ("20200101", "20210101", "certificate has expired"),
        ("20900101", "20910101", "certificate is not yet valid"),
        ("20200101", "20900101", ""),
    ],
)
def test_a_certificate_out_of_its_time_is_told(
    start: str, end: str, fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, key = dated(tmp_path, start, end)
    mine = of(cert, key)
    assert shown(mine), "shown all the same"
    told = f"clients will refuse the TLS certificate {cert}: {fault}"
    assert caplog.messages == ([told] if fault else [])


def test_a_renewed_certificate_is_shown_and_a_broken_one_is_not(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    mine = of(cert, key)
    first = der(cert)
    assert shown(mine) == first
    certificate(tmp_path)
    assert shown(mine) == first
    mine.renew()
    second = der(cert)
    assert shown(mine) == second != first
    key.write_text("no key")
    with pytest.raises(ConfigError, match="key without a password"):
        mine.renew()
    assert shown(mine) == second


def test_a_certificate_and_the_key_of_another_are_refused(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, key = certificate(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"cert\.pem with the key"):
        of(cert, key)
    with pytest.raises(ConfigError, match="No such file"):
        of(cert, tmp_path / "nowhere.pem")


@pytest.mark.parametrize(
    ("version", "is_spoken"),
    [
        (ssl.TLSVersion.TLSv1_3, True),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_1, False),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_versions_from_1_2_on_are_spoken(
    tmp_path: Path, version: ssl.TLSVersion, is_spoken: bool
) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")  # else OpenSSL does not even offer 1.1
    client.minimum_version = client.maximum_version = version
    mine = of(*certificate(tmp_path))
    if is_spoken:
        assert shown(mine, client)
    else:
        with pytest.raises(OSError, match=r"(?i)version|alert|EOF"):
            shown(mine, client)


async def test_files_that_change_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, key = certificate(tmp_path)
    mine = of(cert, key)
    watching = asyncio.create_task(mine.watch(every_s=0.01))
    try:
        key.write_text("no key")
        before = shown(mine)
        while "in use stays" not in caplog.text:  # noqa: ASYNC110  nobody sets an event
            await asyncio.sleep(0.01)
        assert shown(mine) == before
        (tmp_path / "new").mkdir()
        for made in certificate(tmp_path / "new"):
            os.replace(made, tmp_path / made.name)
        wanted = der(cert)
        assert wanted != before
        while shown(mine) != wanted:  # noqa: ASYNC110  it fails by the timeout of all tests
            await asyncio.sleep(0.01)
        assert not watching.done()
    finally:
        watching.cancel()
