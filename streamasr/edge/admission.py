"""Who may come in: tokens, and the web pages that a browser may connect from.

    admission = Admission.from_settings(settings)
    refusal = admission.refuse(headers, query)      # None, or an HTTP status and a reason

A browser tells the page's origin; other programs send none and are not stopped by it. While
the daemon listens on this machine only, pages of this machine may connect; a page of the
same name and port as the request's host is not enough there, because any name can be made
to point to 127.0.0.1.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from streamasr.core.dialects import Refusal
from streamasr.edge.settings import Settings, is_loopback
from streamasr.errors import ConfigError, UsageError

log = logging.getLogger(__name__)

SCHEMES = ("bearer", "token")
KEY_PROTOCOLS = ("openai-insecure-api-key.", "realtime-token.")
MINTED_S = 600
"""How long a secret opens the door that was made from a token."""
KEY_LINE = "key:"
"""Begins the line of a token file that holds the key of such secrets."""
KEY_BYTES = 32
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")


def new_token() -> tuple[str, str]:
    """A token nobody can guess, and the line of a token file that stands for it."""
    token = secrets.token_urlsafe(24)
    return token, f"sha256:{_digest(token).hex()}"


def add_token(file: Path, line: str, *, name: str = "") -> None:
    """Append a line to a token file, below a comment with its name; a new file is private.

    Raises UsageError for a name that is no comment, OSError when the file cannot be written.
    """
    if not name.isprintable():
        raise UsageError(f"the name {name!r} is no comment", remedy="one line of text")
    comment = f"# {name}\n" if name else ""
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "rb+") as content:
        before = content.read()
        gap = "\n" if before and not before.endswith(b"\n") else ""
        content.write(f"{gap}{comment}{line}\n".encode())


class Tokens:
    """The digests of the tokens that open the door; the tokens themselves are not kept.

    ``key`` signs the secrets that are made of them; nobody else knows it when none is given.
    """

    def __init__(self, digests: Iterable[bytes], key: bytes = b"") -> None:
        self._digests = tuple(digests)
        self._key = key or secrets.token_bytes(KEY_BYTES)

    @classmethod
    def from_file(cls, path: Path, key: bytes = b"") -> Self:
        """Read one token a line, plain or as ``sha256:HEX``; ``#`` begins a comment line.

        A line ``key:TEXT`` takes the place of the key given.
        Raises ConfigError when the file cannot be read or holds no token.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            is_open = bool(path.stat().st_mode & 0o004)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the token file {path}: {error}") from error
        if is_open:
            log.warning("every user of this machine can read %s: chmod 640 it", path)
        told = [line.strip() for line in lines]
        tokens = [line for line in told if line and not line.startswith(("#", KEY_LINE))]
        digests = [_stored(token) for token in tokens]
        if not digests:
            raise ConfigError(f"the token file {path} holds no token", remedy="one token a line")
        keys = "".join(line.removeprefix(KEY_LINE) for line in told if line.startswith(KEY_LINE))
        return cls(digests, keys.encode() or key)

    def accept(self, token: str) -> bool:
        """Whether the token is one of ours, in the same time whichever it is."""
        digest = _digest(token)
        found = False
        for stored in self._digests:
            found |= hmac.compare_digest(stored, digest)
        return found

    def mint(self, now_s: float) -> tuple[str, int]:
        """A secret that is as good as a token until it expires, and when that is.

        Any process with the same tokens and the same key accepts it; nothing is kept.
        """
        expires = int(now_s) + MINTED_S
        return f"ek_{expires}_{self._sign(str(expires))}", expires

    def accept_minted(self, secret: str, now_s: float) -> bool:
        """Whether one of us made this secret, and not too long ago."""
        kind, _, rest = secret[:200].partition("_")
        expires, _, signature = rest.partition("_")
        is_ours = hmac.compare_digest(
            signature.encode("utf-8", "surrogateescape"), self._sign(expires).encode()
        )
        return is_ours and kind == "ek" and now_s < int(expires)

    def _sign(self, text: str) -> str:
        key = hmac.digest(self._key, b"".join(self._digests), "sha256")
        return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256").hex()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _stored(line: str) -> bytes:
    hashed = _HASHED.fullmatch(line)
    if hashed:
        return bytes.fromhex(hashed[1])
    if line.startswith("sha256:"):
        raise ConfigError("the token file holds a sha256: line without 64 hexadecimal digits")
    return _digest(line)


class Admission:
    """The checks at the door that concern the request itself, not the load."""

    def __init__(self, *, tokens: Tokens | None, origins: Iterable[str], is_local: bool) -> None:
        self._tokens = tokens
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._is_local = is_local

    @classmethod
    def from_settings(cls, settings: Settings, key: bytes = b"") -> Self:
        """Read the token file too; raises ConfigError. ``key`` is that of `Tokens`."""
        server = settings.server
        tokens = Tokens.from_file(Path(server.token_file), key) if server.token_file else None
        return cls(tokens=tokens, origins=server.origins, is_local=settings.is_local)

    def refuse(
        self, headers: Mapping[str, str], query: str, *, may_be_minted: bool = True
    ) -> Refusal | None:
        """Judge a request by its headers (lower-case names) and its query string."""
        origin = headers.get("origin")
        if origin is not None and not self._is_own_page(origin, headers.get("host", "")):
            return Refusal(
                403,
                "origin",
                f"pages of {origin[:100]} may not connect",
                "add the origin to server.origins",
            )
        if not self._has_token(token_of(headers, query), may_be_minted):
            return Refusal(
                401,
                "token",
                "a valid token is needed",
                "send it as Authorization: Bearer TOKEN, or as ?token=TOKEN",
            )
        return None

    def mint(self) -> tuple[str, int]:
        """A secret for whoever was let in, and the second since 1970 when it expires."""
        return (self._tokens or Tokens(())).mint(time.time())

    def _has_token(self, token: str, may_be_minted: bool) -> bool:
        if self._tokens is None or self._tokens.accept(token):
            return True
        return may_be_minted and self._tokens.accept_minted(token, time.time())

    def _is_own_page(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        if origin in self._origins:
            return True
        try:
            page = urlsplit(origin)
            name = page.hostname or ""
        except ValueError:
            return False
        if is_loopback(name):
            return True
        return not self._is_local and page.netloc == host.lower()


def token_of(headers: Mapping[str, str], query: str) -> str:
    """The token of a request, from the first place where some protocol puts it.

    ``Authorization: Bearer T`` or ``Token T``, ``?token=T``, and for browsers, which cannot
    set headers, the subprotocols ``token, T``, ``bearer, T`` or
    one with a prefix of `KEY_PROTOCOLS`.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() in SCHEMES:
        return token.strip()
    if found := parse_qs(query).get("token"):
        return found[0]
    offered = [item.strip() for item in headers.get("sec-websocket-protocol", "").split(",")]
    if len(offered) > 1 and offered[0].lower() in SCHEMES:
        return offered[1]
    for prefix in KEY_PROTOCOLS:
        for item in offered:
            if item.startswith(prefix):
                return item.removeprefix(prefix)
    return ""
