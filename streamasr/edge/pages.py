"""A folder of web pages as routes: ``/demo`` is its index.html, ``/demo/NAME`` each file.

    create_app(worker, settings, pages=demo_routes(folder))

The files are read once, at the start, and each has a route of its own, so no part of a
request ever becomes a path on disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from streamasr.errors import ConfigError

DEMO_PATH = "/demo"
INDEX = "index.html"
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""The kinds of file a page may have, and their content types."""
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "media-src": "blob:",  # a file the user opened, played in the page
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",  # the address may hold a token
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}

Endpoint = Callable[[Request], Awaitable[Response]]


def demo_routes(folder: Path) -> list[Route]:
    """Serve the files of a folder, and lead plain HTTP at ``/`` to them.

    Raises ConfigError when the folder cannot be read, lacks index.html, or holds a file of
    an unknown kind.
    """
    try:
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    except OSError as error:
        raise ConfigError(f"cannot read the web page: {error}") from error
    if INDEX not in files:
        raise ConfigError(f"{folder} is no web page: it lacks {INDEX}")
    routes = [Route("/", _to_demo)]
    for name, body in files.items():
        path = DEMO_PATH if name == INDEX else f"{DEMO_PATH}/{name}"
        routes.append(Route(path, _page(name, body)))
    return routes


def _page(name: str, body: bytes) -> Endpoint:
    """Answer with a file; raises ConfigError for a kind that is not in `TYPES`."""
    media_type = TYPES.get(Path(name).suffix)
    if media_type is None:
        raise ConfigError(f"{name} does not belong to a web page", remedy=", ".join(TYPES))

    async def page(request: Request) -> Response:
        return Response(body, media_type=media_type, headers=HEADERS)

    return page


async def _to_demo(request: Request) -> Response:
    """Lead to the page, whatever prefix a proxy puts before us; a token goes along."""
    query = request.url.query
    address = DEMO_PATH.removeprefix("/") + (f"?{query}" if query else "")
    return RedirectResponse(address, headers={"referrer-policy": "no-referrer"})
