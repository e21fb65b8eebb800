"""Deepgram's address for files: a body of audio in, one JSON document out."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from streamasr.core.audio import Samples
from streamasr.core.dialects import Refusal, Refused, Request
from streamasr.core.dialects.deepgram import ENTRANCE, request_id
from streamasr.core.dialects.deepgram_files import Prerecorded, is_raw, read_file_options
from streamasr.core.dialects.deepgram_options import Options
from streamasr.edge.door import request_of, respond
from streamasr.edge.sources import UPLOADED, RawFormat, open_source
from streamasr.edge.uploads import Uploads
from streamasr.errors import AudioFormatError

MOST_BYTES = 100 * 1024 * 1024
"""Of a file."""


class Listening:
    """The address, which websockets share."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    def routes(self) -> list[Route]:
        return [Route(ENTRANCE.path, self.transcribe, methods=["POST"])]

    async def transcribe(self, request: HttpRequest) -> Response:
        """A file to text."""
        asked = request_of(request.scope, "")
        with ExitStack() as stack:
            try:
                asked = self._uploads.admit(request)
                options = read_file_options(asked.query)
                with self._uploads.arriving():
                    async with asyncio.timeout(self._uploads.patience_s):
                        name, digest = await _receive(request, stack)
                blocks = await asyncio.to_thread(_open, name, options, stack)
                self._uploads.check_room()
            except TimeoutError:
                return self._refuse(Refusal(408, "SLOW_UPLOAD", "the upload took too long"), asked)
            except Refused as refused:
                return self._refuse(refused.refusal, asked)
            dialect = Prerecorded(options, asked, digest)
            status, body = await self._uploads.converse(
                request, dialect, asked, blocks, stack.pop_all()
            )
        if not body:
            return self._refuse(Refusal(503, "cut", "the server is shutting down"), asked)
        headers = {"dg-request-id": request_id(asked)}
        return Response(body, status, headers, "application/json")

    def _refuse(self, refusal: Refusal, asked: Request) -> Response:
        self._uploads.count_refusal(ENTRANCE.path, refusal)
        return respond(refusal, ENTRANCE.answer(refusal, asked))


async def _receive(request: HttpRequest, stack: ExitStack) -> tuple[str, str]:
    """The name of a copy of the body, gone when the stack is closed, and its SHA-256."""
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        raise Refused(
            Refusal(400, "Bad Request", "this server fetches nothing: send the file as the body")
        )
    copy: IO[bytes]
    copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="streamasr-"))  # noqa: SIM115
    digest, count = hashlib.sha256(), 0
    try:
        async for part in request.stream():
            count += len(part)
            if count > MOST_BYTES:
                raise Refused(
                    Refusal(413, "PAYLOAD_ERROR", f"a file has {MOST_BYTES} bytes at most")
                )
            digest.update(part)
            await asyncio.to_thread(copy.write, part)
    except ClientDisconnect:
        raise Refused(Refusal(400, "Bad Request", "the upload broke off")) from None
    copy.flush()
    return copy.name, digest.hexdigest()


def _open(name: str, options: Options, stack: ExitStack) -> Iterator[Samples]:
    start = options.listen.start
    raw = RawFormat(start.sample_rate, start.encoding, start.channels) if is_raw(options) else None
    try:
        source = stack.enter_context(open_source(name, raw=raw, formats=UPLOADED))
    except AudioFormatError as error:
        raise Refused(
            Refusal(400, "Bad Request", f"failed to process audio: {error.message}")
        ) from None
    return source.blocks
