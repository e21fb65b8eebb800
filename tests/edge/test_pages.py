import asyncio
import re
from pathlib import Path

import pytest

from streamasr.app.commands.serve import WEB
from streamasr.edge.listening import Given, listen
from streamasr.edge.pages import DEMO_PATH, POLICY, TYPES, demo_routes
from streamasr.edge.server import page_address
from streamasr.errors import ConfigError
from tests.edge.daemon import daemon, settings_of
from tests.edge.processes import ready

FILES = sorted(path.name for path in WEB.iterdir())
ASSETS = [name for name in FILES if name != "index.html"]
SECRET = "the secret beside the page"


async def fetch(url: str, target: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """One HTTP request whose target is sent as it is: status, headers, body."""
    host, port = url.split("//")[1].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def test_every_file_of_the_page_is_served_as_what_it_is() -> None:
    async with daemon(pages=demo_routes(WEB)) as running:
        for name in FILES:
            path = DEMO_PATH if name == "index.html" else f"{DEMO_PATH}/{name}"
            status, headers, body = await fetch(running.url, path)
            assert (status, body) == (200, (WEB / name).read_bytes())
            assert headers["content-type"].split(";")[0] == TYPES[Path(name).suffix]
            assert headers["x-content-type-options"] == "nosniff"
            assert "unsafe" not in headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"


async def test_the_page_is_there_before_the_model() -> None:
    async with daemon(is_loaded=False, pages=demo_routes(WEB)) as running:
        assert (await fetch(running.url, DEMO_PATH))[0] == 200


async def test_only_reading_is_allowed() -> None:
    async with daemon(pages=demo_routes(WEB)) as running:
        status, headers, body = await fetch(running.url, DEMO_PATH, "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) == (WEB / "index.html").stat().st_size
        assert (await fetch(running.url, DEMO_PATH, "POST"))[0] == 405


@pytest.mark.parametrize(
    "target",
    [
        "/demo/../secret.js",
        "/demo/../../serve.py",
        "/demo/..%2fsecret.js",
        "/demo/%2e%2e/secret.js",
        "/demo/..\\secret.js",
        "/demo/%2fetc%2fpasswd",
        "/demo//etc/passwd",
        "/demo/app.js%00.css",
        "/demo/APP.JS",
        "/demo/index.html",
        "/demo/late.js",
        "//etc/passwd",
    ],
)
async def test_no_request_becomes_a_path(target: str, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "app.js").write_text("")
    (tmp_path / "secret.js").write_text(SECRET)
    routes = demo_routes(folder)
    (folder / "late.js").write_text(SECRET)
    async with daemon(pages=routes) as running:
        assert (await fetch(running.url, "/demo/app.js"))[0] == 200
        status, _, body = await fetch(running.url, target)
        assert status == 404
        assert SECRET.encode() not in body


async def test_the_root_leads_to_the_page_and_keeps_the_token() -> None:
    async with daemon(pages=demo_routes(WEB)) as running:
        status, headers, _ = await fetch(running.url, "/")
        assert (status, headers["location"]) == (307, "demo")
        _, headers, _ = await fetch(running.url, "/?token=a%26b")
        assert headers["location"] == "demo?token=a%26b"


async def test_without_pages_there_are_none() -> None:
    async with daemon() as running:
        assert (await fetch(running.url, DEMO_PATH))[0] == 404
        assert (await fetch(running.url, "/"))[0] == 404


async def test_the_daemon_says_where_the_page_is() -> None:
    async with ready() as running:
        line = await running.until_logged("browser")
        assert line.endswith(f"{running.url.replace('ws', 'http')}{DEMO_PATH}\n")


def test_an_address_for_everybody_is_shown_as_one_that_works_here() -> None:
    settings = settings_of(server__host="0.0.0.0", server__insecure=True)
    with listen(settings) as sock:
        port = sock.getsockname()[1]
        assert page_address(settings, Given((sock,))) == f"http://localhost:{port}{DEMO_PATH}"


@pytest.mark.parametrize("names", [[], ["app.js"], ["index.html", "notes.txt"]])
def test_a_folder_that_is_no_page_is_refused(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match=r"does not belong|lacks"):
        demo_routes(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        demo_routes(tmp_path / "nowhere")


def test_the_page_keeps_to_its_own_policy() -> None:
    """Nothing inline, nothing from elsewhere, and everything it asks for is there."""
    page = (WEB / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    asked = set(re.findall(r'(?:src|href)="demo/([^"]+)"', page))
    for name in ASSETS:
        text = (WEB / name).read_text()
        asked |= set(re.findall(r'(?:from |URL\()"(?:\./)?([\w.]+\.\w+)"', text))
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|localhost)", text), name
    assert asked == set(ASSETS)
    assert set(re.findall(r'"[^"]*//', page)) == set()
    assert POLICY["script-src"] == POLICY["style-src"] == "'self'"
