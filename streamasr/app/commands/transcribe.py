"""``streamasr transcribe``: files and pipes to text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app import options
from streamasr.app.formats import Format
from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.edge.sources import RawFormat


def transcribe(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Audio files; - is standard input.")
    ],
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TEXT,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Write each file's transcript into this folder."),
    ] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Take the audio at the speed of speech.")
    ] = False,
    rate: Annotated[
        int | None, typer.Option("--rate", help="The input is raw audio at this rate, in hertz.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            help="Encoding of raw audio: s16le (the default), s24le, s32le, f32le, mulaw or alaw.",
        ),
    ] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", help="Channels of raw audio; 1 by default.")
    ] = None,
    model: options.ModelOption = None,
    decoder: options.DecoderOption = options.DecoderChoice.AUTO,
    hotwords: options.HotwordsOption = None,
    punctuate: options.PunctuateOption = False,
    device: options.DeviceOption = options.Device.AUTO,
    threads: options.ThreadsOption = 1,
) -> None:
    """Turn audio files into text.

    Reads what libsndfile reads and, where ffmpeg is installed, anything else; standard
    input is WAV, or raw audio with --rate. A file that fails does not stop the others,
    and makes the exit code 1.

    \b
    Examples:
      streamasr transcribe talk.flac
      streamasr transcribe --punctuate --format srt film.mkv > film.srt
      streamasr transcribe --format json --output-dir transcripts *.mp3
      arecord -f S16_LE -r 16000 -t raw | streamasr transcribe --rate 16000 -
    """
    from streamasr.app.live import standard_display
    from streamasr.app.transcription import Job, check_names
    from streamasr.core.options import StreamOptions

    raw = raw_format(rate, encoding, channels)
    check_names(files, format, output_dir)
    engine = options.open_model(model, device=device, threads=threads, decoder=decoder)
    hot = options.read_hotwords(hotwords, engine)
    how = StreamOptions(hotwords=hot, punctuate=punctuate)
    job = Job(
        engine, format, standard_display(), output_dir, realtime=realtime, raw=raw, options=how
    )
    if not job.run(files):
        raise typer.Exit(1)


def raw_format(rate: int | None, encoding: str | None, channels: int | None) -> RawFormat | None:
    """The declared raw format, or None where files say it themselves.

    Raises UsageError for a format that cannot be.
    """
    from streamasr.core.audio import AudioDoor
    from streamasr.edge.sources import RawFormat

    if rate is None:
        if encoding is not None or channels is not None:
            raise UsageError(
                "--encoding and --channels describe raw audio", remedy="add --rate, such as 16000"
            )
        return None
    raw = RawFormat(rate, encoding or "s16le", 1 if channels is None else channels)
    AudioDoor(raw.encoding, raw.sample_rate, raw.channels)
    return raw
