"""Files that come by HTTP: the address of OpenAI's transcriptions, and its list of models.

The file is kept in a temporary one while a thread reads it, into a session like any other;
what that session says is the response.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message

from streamasr.core.audio import Samples
from streamasr.core.dialects import Dialect, Refusal, Refused, Request, openai
from streamasr.core.dialects.files import END
from streamasr.core.dialects.openai_files import (
    IGNORED,
    Options,
    Transcription,
    model_card,
    read_options,
)
from streamasr.edge.door import peer_of, request_of, respond
from streamasr.edge.session import Session
from streamasr.edge.sources import UPLOADED, open_source
from streamasr.errors import AudioFormatError

if TYPE_CHECKING:
    from streamasr.edge.service import Service

FILES_PATH = "/v1/audio/transcriptions"
MODELS_PATH = "/v1/models"
MOST_BYTES = 25 * 1024 * 1024
"""Of an upload, all fields included: what OpenAI takes."""
MOST_FIELDS = 50
MOST_UPLOADS = 32
"""That are being received at a time."""
MOST_WAITING = 64
"""Pieces of a response that nobody has read."""


class Upload:
    """A transport whose frames are blocks of a file, and whose answers are a response."""

    is_file = True

    def __init__(self, blocks: Iterator[Samples], peer: str) -> None:
        self.peer = peer
        self.status = 500
        """Set by the hang-up."""
        self._blocks = blocks
        self._is_read = False
        self._closed = asyncio.Event()
        self._said: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)

    async def receive(self) -> str | bytes | None:
        if not self._is_read and not self._closed.is_set():
            try:
                block = await asyncio.to_thread(next, self._blocks, None)
            except AudioFormatError as error:
                self._is_read = True
                return error.message  # the remedy may name our copy of the file
            self._is_read = block is None
            return END if block is None else block.astype("<f4").tobytes()
        await self._closed.wait()
        return None

    async def send(self, frame: str | bytes) -> None:
        await self._said.put(str(frame))

    async def close(self, code: int, reason: str) -> None:
        self.status = code
        await self._said.put(None)
        self._closed.set()

    def abort(self) -> None:
        self._closed.set()
        if self._said.full():
            self._said.get_nowait()
        self._said.put_nowait(None)

    async def pieces(self) -> AsyncIterator[str]:
        """What was said, until the end."""
        while (piece := await self._said.get()) is not None:
            yield piece


class Uploads:
    """The addresses that take files."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._arriving = 0

    def routes(self) -> list[Route]:
        return [
            Route(FILES_PATH, self.transcribe, methods=["POST"]),
            Route(MODELS_PATH, self.models),
            Route(MODELS_PATH + "/{name:path}", self.model),
        ]

    async def models(self, request: HttpRequest) -> Response:
        """The list of models, which has one."""
        try:
            asked = self.admit(request)
        except Refused as refused:
            return self._refuse(refused.refusal)
        return JSONResponse({"object": "list", "data": [model_card(asked)]})

    async def model(self, request: HttpRequest) -> Response:
        """One model by its name."""
        try:
            asked = self.admit(request)
            openai.check_model(request.path_params["name"], asked.model)
        except Refused as refused:
            return self._refuse(refused.refusal)
        return JSONResponse(model_card(asked))

    async def transcribe(self, request: HttpRequest) -> Response:
        """A file to text."""
        with ExitStack() as stack:
            try:
                asked = self.admit(request)
                options, copy = await self._receive(request, asked, stack)
                blocks = await asyncio.to_thread(_open, copy, stack)
                self._service.check_room(1)
            except Refused as refused:
                return self._refuse(refused.refusal)
            dialect = Transcription(options)
            session, upload = self._session(request, dialect, asked, blocks)
            said = self._say(session, upload, stack.pop_all())
        headers = {IGNORED: ", ".join(options.ignored)} if options.ignored else {}
        if options.stream:
            return StreamingResponse(said, headers=headers, media_type=options.content_type)
        body = await _until_gone(said, request, session)
        if not body:
            return self._refuse(Refusal(503, "cut", "the server is shutting down"))
        kind = options.content_type if upload.status == 200 else "application/json"
        return Response(body, upload.status, headers, kind)

    # ---- for every address that takes files ----

    def admit(self, request: HttpRequest) -> Request:
        """Let a request in; raises Refused."""
        self._service.admit(request.headers, request.url.query, peer_of(request.scope))
        return request_of(request.scope, self._service.model)

    @property
    def patience_s(self) -> float:
        """What an upload may take."""
        return self._service.settings.limits.idle_s

    def check_room(self) -> None:
        """Raise Refused where there is no room for one more session."""
        self._service.check_room(1)

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Count an upload while it is received; raises Refused for one too many."""
        if self._arriving >= MOST_UPLOADS:
            raise Refused(Refusal(503, "busy", "too many uploads at a time", "try again later"))
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def count_refusal(self, path: str, refusal: Refusal) -> None:
        self._service.meters.refusals.labels(path, str(refusal.status)).inc()

    async def converse(
        self,
        request: HttpRequest,
        dialect: Dialect,
        asked: Request,
        blocks: Iterator[Samples],
        stack: ExitStack,
    ) -> tuple[int, str]:
        """Have a file recognised: the status and body of the response, which is empty if cut."""
        session, upload = self._session(request, dialect, asked, blocks)
        body = await _until_gone(self._say(session, upload, stack), request, session)
        return upload.status, body

    def _session(
        self, request: HttpRequest, dialect: Dialect, asked: Request, blocks: Iterator[Samples]
    ) -> tuple[Session, Upload]:
        upload = Upload(blocks, peer_of(request.scope))
        return self._service.session(dialect, upload, asked.session), upload

    async def _receive(
        self, request: HttpRequest, asked: Request, stack: ExitStack
    ) -> tuple[Options, str]:
        """What is asked for, and the name of a copy of the file."""
        with self.arriving():
            try:
                async with asyncio.timeout(self.patience_s):
                    form = await _read_form(request)
            except TimeoutError:
                raise Refused(Refusal(408, "file", "the upload took too long")) from None
            try:
                options = read_options(_fields(form), asked.model)
                return options, await asyncio.to_thread(_copy, form, stack)
            finally:
                await form.close()

    async def _say(self, session: Session, upload: Upload, stack: ExitStack) -> AsyncIterator[str]:
        """Run the session and give what it says, piece by piece."""
        with stack, self._service.counting(session):
            running = asyncio.create_task(session.run(), name=f"upload {session.id}")
            running.add_done_callback(lambda _: upload.abort())  # however it ended
            try:
                async for piece in upload.pieces():
                    yield piece
            finally:
                upload.abort()
                await running

    def _refuse(self, refusal: Refusal) -> Response:
        self.count_refusal(FILES_PATH, refusal)
        return respond(refusal, openai.answer(refusal, Request()))


async def _until_gone(said: AsyncIterator[str], request: HttpRequest, session: Session) -> str:
    """All that is said; the session is cut when the client goes."""
    watching = asyncio.create_task(_cut_when_gone(request, session))
    body = "".join([piece async for piece in said])
    watching.cancel()
    return body


async def _cut_when_gone(request: HttpRequest, session: Session) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    session.cut()


async def _read_form(request: HttpRequest) -> FormData:
    """The fields of a request of bounded length; raises Refused."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        openai.refuse("send multipart/form-data", "file", 415)
    left = MOST_BYTES
    receive = request.receive

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise Refused(Refusal(413, "file", f"the request is longer than {MOST_BYTES} bytes"))
        return message

    try:
        return await HttpRequest(request.scope, counted).form(max_files=1, max_fields=MOST_FIELDS)
    except HTTPException as error:
        raise Refused(Refusal(400, "file", str(error.detail))) from None
    except (KeyError, ValueError, AssertionError):
        raise Refused(Refusal(400, "file", "the form cannot be read")) from None


def _fields(form: FormData) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        fields.setdefault(name, []).append(value if isinstance(value, str) else "")
    return fields


def _copy(form: FormData, stack: ExitStack) -> str:
    """Put the file where it has a name of ours; gone when the stack is closed."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        openai.refuse("a file is required", "file")
    copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="streamasr-"))  # noqa: SIM115
    shutil.copyfileobj(file.file, copy)
    copy.flush()
    return copy.name


def _open(name: str, stack: ExitStack) -> Iterator[Samples]:
    try:
        source = stack.enter_context(open_source(name, formats=UPLOADED))
    except AudioFormatError as error:
        raise Refused(Refusal(400, "file", error.message)) from None
    return source.blocks
