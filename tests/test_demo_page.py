"""The demo page in a real browser, against the real daemon in a process of its own.

DEMO_PNG=docs/demo.png make test-slow ARGS="-k screenshot"     # renew the README's picture
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.async_api import Page, async_playwright, expect

from streamasr.app.formats import Format, writer_for
from streamasr.core.scribe import as_written
from streamasr.edge.client import Transcript, connect, transcribe
from tests.edge.daemon import pieces
from tests.edge.processes import SCRIPTED, Process, program

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "models" / "en-small"
CLIPS = [
    ROOT / "tests" / "data" / f"{name}.flac"
    for name in ("163-122947-0014", "1970-28415-0030", "5789-70653-0013")
]
CLIP = CLIPS[1]
CHROMIUM = shutil.which("chromium")
FAKE_DEVICE = "--use-fake-device-for-media-stream"
FAKE_UI = "--use-fake-ui-for-media-stream"
DAEMON = (sys.executable, "-m", "streamasr", "serve") if MODEL.exists() else SCRIPTED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(CHROMIUM is None, reason="needs the Debian package chromium"),
]


@asynccontextmanager
async def served(port: str = "0", **environ: str) -> AsyncIterator[Process]:
    """The daemon, ready; its `url` is that of a websocket client."""
    settings = {"STREAMASR_SERVER_PORT": port} | environ
    async with program(*DAEMON, environ=settings) as running:
        line = await running.until_logged("browser")
        running.url = line.split()[-1].replace("http", "ws").removesuffix("/demo")
        yield running


@asynccontextmanager
async def opened(address: str, *flags: str, **context: Any) -> AsyncIterator[Page]:
    """The page in a fresh browser; nothing it does may break its own policy or throw."""
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(flags))
        page = await browser.new_page(**context)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text))
        await page.goto(address.replace("ws", "http", 1))
        yield page
        await browser.close()
    assert [
        fault for fault in faults if "WebSocket" not in fault and "Failed to load" not in fault
    ] == []


def microphone(tmp_path: Path, clips: list[Path], silence_s: float = 1.0) -> list[str]:
    """Flags for a microphone that hears the clips once."""
    quiet = np.zeros(round(silence_s * 16_000), np.int16)
    parts = [part for clip in clips for part in (quiet, soundfile.read(clip, dtype="int16")[0])]
    path = tmp_path / "microphone.wav"
    soundfile.write(path, np.concatenate([*parts, quiet]), 16_000)
    return [FAKE_DEVICE, FAKE_UI, f"--use-file-for-fake-audio-capture={path}%noloop"]


async def drop(page: Page, path: Path) -> None:
    """Drop a file on the page."""
    data = base64.b64encode(await asyncio.to_thread(path.read_bytes)).decode()
    transfer = await page.evaluate_handle(
        """([name, data]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [path.name, data],
    )
    await page.dispatch_event("#paper", "drop", {"dataTransfer": transfer})


async def state(page: Page, name: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-state", name, timeout=20_000)


async def texts(page: Page) -> list[str]:
    """The finals on the page."""
    script = "[...document.querySelectorAll('#finals p')].map((p) => p.lastElementChild ?"
    script += " [...p.querySelectorAll('.word')].map((w) => w.textContent).join(' ') : '')"
    found: list[str] = await page.evaluate(script)
    return found


async def notice(page: Page) -> str:
    await expect(page.locator("#notice")).to_be_visible(timeout=20_000)
    return await page.inner_text("#notice p")


async def reference(url: str, **options: Any) -> Transcript:
    """What the reference client hears in the clip."""
    samples, _ = soundfile.read(CLIP, dtype="int16")
    return await transcribe(url, pieces(samples.tobytes()), **options)


def written(form: Format, transcript: Transcript) -> str:
    out = io.StringIO()
    writer = writer_for(form, out)
    writer.begin("")
    for final in transcript.finals:
        writer.segment(as_written(final))
    return out.getvalue()


async def test_a_microphone_is_captioned(tmp_path: Path) -> None:
    async with served() as daemon:
        async with opened(daemon.url, *microphone(tmp_path, [CLIP])) as page:
            assert page.url.endswith("/demo")
            await page.click("#start")
            await expect(page.locator("#partial")).not_to_be_empty(timeout=20_000)
            assert re.fullmatch(r"\d+ ms", await page.inner_text("#lag"))
            await asyncio.sleep(7)
            await page.click("#start")
            await state(page, "idle")
            heard = " ".join(await texts(page))
            assert await page.inner_text("#partial") == ""
        assert heard
        if MODEL.exists():
            expected = (await reference(daemon.url)).text
            assert set(expected.split()) & set(heard.split()), f"{heard} is unlike {expected}"
            assert SequenceMatcher(None, expected, heard).ratio() > 0.4


@pytest.mark.parametrize("pace", ["fast", "paced"])
async def test_a_dropped_file_is_captioned_as_the_client_hears_it(pace: str) -> None:
    async with served() as daemon:
        expected = await reference(daemon.url, punctuate=True)
        async with opened(daemon.url) as page:
            await page.select_option("#pace", pace)
            await drop(page, CLIP)
            if pace == "paced":
                await drop(page, CLIP)
                assert "Captions are running. Stop them first." in await notice(page)
                await expect(page.locator("#partial")).not_to_be_empty(timeout=20_000)
                await state(page, "listening")
            await state(page, "idle")
            await expect(page.locator("#state")).to_contain_text("words in 4.9 s")
            assert await texts(page) == [final.written for final in expected.finals]
            word = page.locator(".word").first
            await word.hover()
            percent = round(100 * expected.finals[0].words[0].confidence)
            await expect(page.locator("#tip")).to_contain_text(f"{percent} % sure")
            for form, name in ((Format.SRT, "srt"), (Format.VTT, "vtt"), (Format.TEXT, "txt")):
                async with page.expect_download() as waiting:
                    await page.click(f"[data-do={name}]")
                download = await waiting.value
                assert download.suggested_filename == f"captions.{name}"
                assert (await download.path()).read_text() == written(form, expected)
            await page.click("[data-do=clear]")
            assert await texts(page) == []
            await expect(page.locator("[data-do=srt]")).to_be_disabled()


async def test_a_file_without_audio_is_told_by_name() -> None:
    async with served() as daemon, opened(daemon.url) as page:
        await drop(page, Path(__file__))
        assert "can read no audio in test_demo_page.py" in await notice(page)
        await expect(page.locator("#retry")).to_be_hidden()


@pytest.mark.parametrize(
    ("flags", "permissions", "said"),
    [
        ([FAKE_DEVICE], [], "does not let this page use the microphone"),
        ([], ["microphone"], "No microphone was found"),
    ],
    ids=["no permission", "no microphone"],
)
async def test_what_keeps_a_microphone_away_is_told(
    flags: list[str], permissions: list[str], said: str
) -> None:
    async with served() as daemon, opened(daemon.url, *flags, permissions=permissions) as page:
        await page.click("#start")
        assert said in await notice(page)
        await expect(page.locator("#retry")).to_have_text("Try again")


async def test_a_page_that_is_not_secure_or_not_ours_is_told() -> None:
    async with served() as daemon:
        port = daemon.url.rsplit(":", 1)[1]
        flag = "--host-resolver-rules=MAP captions.test 127.0.0.1"
        async with opened(f"ws://captions.test:{port}", flag) as page:
            await page.click("#start")
            assert "http://localhost" in await notice(page)
            await drop(page, CLIP)
            await expect(page.locator("#fault")).to_contain_text("does not accept this page")
            assert "server.origins" in await notice(page)


async def test_a_busy_server_and_then_room() -> None:
    async with served(STREAMASR_LIMITS_SESSIONS="1") as daemon, opened(daemon.url) as page:
        await page.select_option("#pace", "fast")
        async with connect(daemon.url):
            await drop(page, CLIP)
            assert "The server is busy. All 1 sessions are taken." in await notice(page)
        await asyncio.sleep(0.5)
        await page.click("#retry")
        await expect(page.locator("#state")).to_contain_text("words in 4.9 s")
        await expect(page.locator("#notice")).to_be_hidden()


async def test_a_token_is_taken_from_the_address_or_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("right&proper\n")
    file.chmod(0o600)
    async with served(STREAMASR_SERVER_TOKEN_FILE=str(file)) as daemon:
        async with opened(daemon.url) as page:
            await page.select_option("#pace", "fast")
            await drop(page, CLIP)
            assert "asks for a valid token" in await notice(page)
            for token in ("wrong", "right&proper"):
                await expect(page.locator("#token")).to_be_focused()
                await expect(page.locator("#token")).to_have_value("")
                await page.keyboard.type(token)
                await page.keyboard.press("Enter")
            await expect(page.locator("#state")).to_contain_text("words in 4.9 s")
        async with opened(f"{daemon.url}/?token=right%26proper") as page:
            assert page.url.endswith("/demo"), "the token does not stay in the address"
            await page.select_option("#pace", "fast")
            await drop(page, CLIP)
            await expect(page.locator("#state")).to_contain_text("words in 4.9 s")


async def test_a_lost_connection_can_be_made_again(tmp_path: Path) -> None:
    flags = microphone(tmp_path, CLIPS)
    async with served() as daemon, opened(daemon.url, *flags) as page:
        await page.click("#start")
        await expect(page.locator("#partial")).not_to_be_empty(timeout=20_000)
        said = await page.inner_text("#partial")
        daemon.process.kill()
        assert "Connection lost" in await notice(page)
        await state(page, "idle")
        assert said in await page.inner_text("#finals"), "what was heard is kept"
        await page.click("#retry")
        await expect(page.locator("#fault")).to_have_text("No server.")
        async with served(daemon.url.rsplit(":", 1)[1]):
            await page.click("#retry")
            await state(page, "listening")
            await expect(page.locator("#notice")).to_be_hidden()


async def test_a_server_that_drains_finishes_the_words_and_says_so(tmp_path: Path) -> None:
    flags = microphone(tmp_path, CLIPS)
    async with served() as daemon, opened(daemon.url, *flags) as page:
        await page.click("#start")
        await expect(page.locator("#partial")).not_to_be_empty(timeout=20_000)
        daemon.process.send_signal(signal.SIGTERM)
        assert "The server is shutting down." in await notice(page)
        assert await texts(page) != []
        assert await daemon.process.wait() == 0


async def test_keyboard_screen_reader_and_phone() -> None:
    view = {"width": 320, "height": 640}
    async with served() as daemon, opened(daemon.url, viewport=view) as page:
        reached = []
        for _ in range(4):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.id"))
        assert reached == ["paper", "start", "open", "pace"]
        live = "[...document.querySelectorAll('[aria-live=polite]')].map((e) => e.id)"
        assert await page.evaluate(live) == ["finals"]
        for button in await page.get_by_role("button").all():
            assert (await button.aria_snapshot()).split('"')[1]
        await page.select_option("#pace", "fast")
        await drop(page, CLIP)
        await expect(page.locator("#state")).to_contain_text("words in 4.9 s")
        assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_screenshot(tmp_path: Path) -> None:
    """Three sentences spoken into the page: two are final, the third is being said."""
    out = Path(os.environ.get("DEMO_PNG", tmp_path / "demo.png"))
    view = {"viewport": {"width": 1040, "height": 560}, "device_scale_factor": 2}
    flags = microphone(tmp_path, CLIPS, silence_s=0.6)
    async with served() as daemon, opened(daemon.url, *flags, **view) as page:
        await page.click("#start")
        await state(page, "listening")
        await asyncio.sleep(14.8)
        await page.locator(".word").nth(1).hover()
        await expect(page.locator("#partial")).not_to_be_empty()
        assert len(await page.screenshot(path=out)) > 20_000
