import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.app.formats import Format
from streamasr.app.live import Display
from streamasr.app.transcription import Job, check_names, fault, output_file
from streamasr.core.audio import Samples
from streamasr.core.recognizer import Recognizer
from streamasr.edge.sources import RawFormat
from streamasr.errors import StreamasrError, UsageError
from tests.app.test_live import Screen
from tests.fakes import ScriptedEngine, silence, texts, voice

SPEECH = np.concatenate([silence(0.3), voice(1.5, seed=1), silence(1.0), voice(1.0, seed=2)])


class Desk:
    """A job with its streams, and a folder to put files into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.engine = ScriptedEngine()

    def file(self, name: str, samples: Samples = SPEECH, rate: int = 16_000) -> str:
        path = self.folder / name
        soundfile.write(path, samples, rate, subtype="FLOAT" if name.endswith("wav") else None)
        return str(path)

    def run(self, *names: str, form: Format = Format.TEXT, **options: object) -> bool:
        job = Job(self.engine, form, Display(self.out, self.err), **options)  # type: ignore[arg-type]
        good = job.run(list(names))
        assert self.engine.open_slots == 0, "every stream was closed"
        return good

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    @property
    def complaints(self) -> list[str]:
        return [
            line.removeprefix("streamasr: ").replace(f"{self.folder}/", "")
            for line in self.err.getvalue().splitlines()
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def expected(samples: Samples = SPEECH) -> list[str]:
    with Recognizer(ScriptedEngine()).stream() as stream:
        found = texts(stream.accept(samples) + stream.finish())
    assert found, "the fakes hear something"
    return found


def test_a_file_is_what_the_stream_makes_of_its_audio(desk: Desk) -> None:
    assert desk.run(desk.file("talk.wav"))
    assert desk.lines == expected()
    assert len(desk.lines) == 2
    assert desk.complaints == []


def test_several_files_have_titles(desk: Desk) -> None:
    a, b = desk.file("a.wav"), desk.file("b.wav")
    assert desk.run(a, b)
    assert desk.lines == [f"==> {a} <==", *expected(), f"==> {b} <==", *expected()]


def test_json_holds_times_within_the_audio(desk: Desk) -> None:
    assert desk.run(desk.file("talk.wav"), form=Format.JSON)
    (line,) = desk.lines
    record = json.loads(line)
    assert set(record) == {"file", "duration_s", "text", "segments", "rtf"}
    assert record["duration_s"] == pytest.approx(len(SPEECH) / 16_000)
    assert record["text"] == " ".join(expected())
    assert record["rtf"] > 0
    for segment in record["segments"]:
        assert 0 <= segment["start_s"] < segment["end_s"] <= record["duration_s"]
        assert segment["text"] == " ".join(word["word"] for word in segment["words"])


def test_a_bad_file_does_not_stop_the_others(desk: Desk) -> None:
    good = desk.file("good.wav")
    assert not desk.run(str(desk.folder / "none.wav"), good, str(desk.folder))
    assert desk.lines[1:] == expected()
    assert desk.complaints[0] == "none.wav: no such file (check the name)"
    assert "this is a folder (name the files in it)" in desk.complaints[1]


def test_faults_name_the_remedy() -> None:
    assert fault(PermissionError(13, "Permission denied")).startswith("no permission to read it (")
    assert fault(OSError(5, "Input/output error")) == "Input/output error"


def test_a_truncated_file_is_transcribed_as_far_as_it_goes_and_told(desk: Desk) -> None:
    name = Path(desk.file("cut.wav"))
    name.write_bytes(name.read_bytes()[: round(2.3 * 64_000)])
    assert not desk.run(str(name), form=Format.JSON)
    assert json.loads(desk.lines[0])["text"] == expected()[0]
    assert desk.complaints[0].startswith("cut.wav: truncated: its header promises")


def test_samples_that_are_no_numbers_are_told_after_what_came_before(desk: Desk) -> None:
    samples = SPEECH.copy()
    samples[-8000:] = np.nan
    assert not desk.run(desk.file("nan.wav", samples))
    assert desk.lines[0] == expected()[0]
    assert "not a number (" in desk.complaints[0]


def test_digital_silence_is_no_failure_but_worth_a_note(desk: Desk) -> None:
    assert desk.run(desk.file("mute.wav", silence(2.0)), form=Format.JSON)
    record = json.loads(desk.lines[0])
    assert (record["text"], record["segments"], record["duration_s"]) == ("", [], 2.0)
    assert desk.complaints == ["mute.wav: the audio is digital silence from end to end"]


def test_a_quiet_room_is_not_noted(desk: Desk) -> None:
    hiss = np.random.default_rng(0).normal(0, 1e-3, 32_000).astype(np.float32)
    assert desk.run(desk.file("room.wav", hiss))
    assert desk.lines == desk.complaints == []


def test_a_file_without_audio_leaves_no_trace_but_the_error(desk: Desk) -> None:
    out = desk.folder / "out"
    assert not desk.run(desk.file("none.wav", silence(0.0)), output_dir=out)
    assert "holds no audio" in desk.complaints[0]
    assert not out.exists()


def test_standard_input_is_called_so(desk: Desk) -> None:
    pipe = io.BytesIO(SPEECH.tobytes())
    raw = RawFormat(16_000, "f32le")
    assert desk.run("-", form=Format.JSON, stdin=pipe, raw=raw)
    record = json.loads(desk.lines[0])
    assert (record["file"], record["text"]) == ("standard input", " ".join(expected()))


def test_an_empty_pipe_is_an_error(desk: Desk) -> None:
    assert not desk.run("-", stdin=io.BytesIO())
    assert desk.complaints == ["standard input: holds no audio (record or copy it again)"]


def test_transcripts_go_into_a_folder_that_is_made(desk: Desk) -> None:
    out = desk.folder / "new" / "folder"
    assert desk.run(desk.file("a.wav"), desk.file("b.flac"), form=Format.SRT, output_dir=out)
    assert sorted(path.name for path in out.iterdir()) == ["a.srt", "b.srt"]
    assert "-->" in (out / "a.srt").read_text()
    assert desk.out.getvalue() == ""


def test_a_folder_that_cannot_be_written_ends_everything(desk: Desk) -> None:
    blocked = desk.folder / "file"
    blocked.touch()
    with pytest.raises(StreamasrError, match="cannot write"):
        desk.run(desk.file("a.wav"), output_dir=blocked)


def test_a_name_cannot_steer_the_terminal(desk: Desk) -> None:
    assert not desk.run("evil\x1b[2J.wav")
    assert "\x1b" not in desk.err.getvalue()


def test_partials_and_progress_are_shown_on_a_terminal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    job = Job(desk.engine, Format.TEXT, Display(screen, screen))
    assert job.run([desk.file("talk.wav")])
    assert " 50%  " in screen.getvalue()
    first_word = expected()[0].split()[0]
    assert f"%  {first_word}" in screen.getvalue()
    assert screen.lines == [*expected(), ""]


def test_an_interrupt_prints_what_was_understood(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            data = super().read1(size)
            if not data:
                raise KeyboardInterrupt
            return data

    raw = RawFormat(16_000, "f32le")
    with pytest.raises(KeyboardInterrupt):
        desk.run("-", stdin=Interrupted(SPEECH.tobytes()), raw=raw)
    assert desk.lines == expected()


@pytest.mark.parametrize("form", [Format.SRT, Format.VTT])
def test_subtitles_of_several_files_need_a_folder(form: Format) -> None:
    with pytest.raises(UsageError, match="--output-dir"):
        check_names(["a", "b"], form, None)
    check_names(["a"], form, None)
    check_names(["a", "b"], form, Path("out"))


def test_two_files_never_write_to_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.wav and b/a\.mp3 would both"):
        check_names(["a.wav", "b/a.mp3"], Format.TEXT, tmp_path)


def test_standard_input_is_read_once() -> None:
    with pytest.raises(UsageError, match="once"):
        check_names(["-", "-"], Format.TEXT, None)


def test_the_output_is_named_after_the_file() -> None:
    assert output_file("x/talk.one.mp3", Format.VTT, Path("out")) == Path("out/talk.one.vtt")
    assert output_file("-", Format.TEXT, Path("out")) == Path("out/stdin.txt")
