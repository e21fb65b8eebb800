"""What a Deepgram client asks for in its address, and what of it there is here.

Three kinds of parameter: those that work; those that only polish the text, which are
taken, do nothing, and are named in the warnings of the last message; and those without
which the answer would not be what was asked for, which are refused with 400.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from streamasr.core.audio import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS
from streamasr.core.dialects import CONTAINER, OGG, OPUS, Listen, Refusal, Refused
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.hotwords import HIGHEST_BOOST, MOST, HotWord
from streamasr.core.messages import Start
from streamasr.errors import ConfigError

MS = SAMPLE_RATE // 1000
ENCODINGS = {
    "linear16": "s16le",
    "linear32": "f32le",
    "mulaw": "mulaw",
    "alaw": "alaw",
    "opus": OPUS,
    "ogg-opus": OGG,
    "flac": CONTAINER,
}
TELEPHONE_RATE = 8000
"""Hertz of mulaw and alaw where no rate is given."""
ENDPOINTING_MS = (120, 10_000)
"""What the recogniser can do; other values become the nearest of these."""
LEAST_UTTERANCE_END_MS = 1000
MOST_APART = 8
"""Channels that one client may have recognised each for itself."""
LANGUAGES = ("en", "multi")

POLISH = (
    "dictation",
    "filler_words",
    "language_hint",
    "measurements",
    "no_delay",
    "numerals",
    "paragraphs",
    "profanity_filter",
    "utterances",
)
"""Taken without effect, and told so."""
REFUSED = (
    "callback",
    "detect_entities",
    "detect_language",
    "detect_topics",
    "diarize",
    "diarize_model",
    "intents",
    "redact",
    "replace",
    "search",
    "sentiment",
    "summarize",
    "topics",
    "translate",
)
SILENT = ("callback_method", "extra", "mip_opt_out", "tag", "token", "version")
"""Of no effect on what is recognised, here as there; ``extra`` comes back in the metadata."""
OFF = ("", "false", "0", "none")

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Options:
    """What one connection gets."""

    listen: Listen
    channels: int
    """Told apart; 1 for a single stream."""
    interim_results: bool
    vad_events: bool
    utterance_end: int | None
    """Samples without a word until `UtteranceEnd`; None for never."""
    utterances: bool
    """Of a file, tell them one by one too."""
    is_punctuated: bool
    """Finals have marks and capitals, and words a ``punctuated_word``."""
    warnings: tuple[Mapping[str, str], ...]
    extra: Mapping[str, str]


def read_options(query: Query, *, of_file: bool = False) -> Options:
    """Read the parameters of an address; raises Refused."""
    for name in REFUSED:
        if any(value.lower() not in OFF for value in query.get(name, ())):
            _refuse(f"{name} is not available on this server")
    warnings = [
        _warning(name, "is ignored")
        for name in POLISH
        if _truth(query, name) and not (of_file and name == "utterances")
    ]
    known = {*POLISH, *REFUSED, *SILENT, *KNOWN}
    if _truth(query, "smart_format"):
        warnings.append(_warning("smart_format", "gives marks and capitals; numbers stay words"))
    warnings += [_warning(name, "is not known") for name in query if name not in known]
    _check_language(query)
    channels = _whole(query, "channels", 1, 1, MOST_CHANNELS)
    is_apart = _truth(query, "multichannel") and channels > 1
    if is_apart and channels > MOST_APART:
        _refuse(f"multichannel takes up to {MOST_APART} channels")
    is_interim = _truth(query, "interim_results")
    utterance_end = _utterance_end(query, is_interim=is_interim)
    encoding, rate = _format(query)
    if is_apart and encoding in (CONTAINER, OPUS, OGG):
        _refuse("multichannel needs linear16, linear32, mulaw or alaw")
    endpoint_ms, limited = _endpointing(query)
    is_punctuated = _truth(query, "punctuate") or _truth(query, "smart_format")
    start = Start(
        encoding=encoding,
        sample_rate=rate,
        channels=channels,
        partials=is_interim,
        endpoint_ms=endpoint_ms,
        hotwords=_hotwords(query, warnings) or None,
        punctuate=is_punctuated,
    )
    return Options(
        listen=Listen(start, apart=is_apart, partial_words=is_interim),
        channels=channels if is_apart else 1,
        interim_results=is_interim,
        vad_events=_truth(query, "vad_events"),
        utterance_end=utterance_end,
        utterances=_truth(query, "utterances"),
        is_punctuated=is_punctuated,
        warnings=tuple(warnings + limited),
        extra=dict(item.partition(":")[::2] for item in query.get("extra", ())),
    )


KNOWN = (
    "channels",
    "encoding",
    "endpointing",
    "interim_results",
    "keyterm",
    "keywords",
    "language",
    "model",
    "multichannel",
    "punctuate",
    "sample_rate",
    "smart_format",
    "utterance_end_ms",
    "vad_events",
)


def _check_language(query: Query) -> None:
    language = _last(query, "language") or LANGUAGES[0]
    if language.lower().partition("-")[0] not in LANGUAGES:
        _refuse(f"language {language[:20]} is not available: this server knows English")


def _format(query: Query) -> tuple[str, int]:
    """Encoding and rate; without an encoding the audio must be a file that tells."""
    name = _last(query, "encoding").lower()
    if not name:
        return CONTAINER, SAMPLE_RATE
    encoding = ENCODINGS.get(name)
    if encoding is None:
        _refuse(f"encoding {name[:20]} is not available: one of {', '.join(ENCODINGS)}")
    if "sample_rate" not in query and encoding in ("s16le", "f32le"):
        _refuse(f"encoding={name} needs sample_rate")
    return encoding, _whole(query, "sample_rate", TELEPHONE_RATE, LOWEST_RATE, HIGHEST_RATE)


def _endpointing(query: Query) -> tuple[int | None, list[Mapping[str, str]]]:
    """Milliseconds of silence that end an utterance; None where the client does not care."""
    text = _last(query, "endpointing").lower()
    if text in ("", "true"):
        return None, []
    lowest, highest = ENDPOINTING_MS
    if text == "false":
        return highest, []
    wanted = _whole(query, "endpointing", 0, 0, 1_000_000)
    given = min(max(wanted, lowest), highest)
    limited = [_warning("endpointing", f"of {wanted} ms became {given} ms")]
    return given, limited if given != wanted else []


def _utterance_end(query: Query, *, is_interim: bool) -> int | None:
    if _last(query, "utterance_end_ms").lower() in ("", "false"):
        return None
    wanted = _whole(query, "utterance_end_ms", 0, LEAST_UTTERANCE_END_MS, 60_000)
    if not is_interim:
        _refuse("utterance_end_ms needs interim_results=true")
    return wanted * MS


def _hotwords(query: Query, warnings: list[Mapping[str, str]]) -> tuple[HotWord, ...]:
    """Key terms as they are, keywords with their intensifier as a boost around the usual."""
    terms = [(term, 1.0) for term in query.get("keyterm", ())]
    for item in query.get("keywords", ()):
        text, _, number = item.partition(":")
        try:
            terms.append((text, float(number or 1)))
        except ValueError:
            _refuse(f"keywords={item[:40]} has no number after the colon")
    if len(terms) > MOST:
        _refuse(f"{len(terms)} keyterms and keywords are more than {MOST}")
    found = []
    for text, intensifier in terms:
        if not intensifier > 0:
            warnings.append(_warning("keywords", f"{text[:40]} cannot be suppressed"))
            continue
        try:
            found.append(HotWord(text, min(5.0 + intensifier, HIGHEST_BOOST)))
        except ConfigError as error:
            _refuse(f"{text[:40]}: {error.message}")
    return tuple(found)


def _last(query: Query, name: str) -> str:
    values = query.get(name)
    return values[-1].strip() if values else ""


def _truth(query: Query, name: str) -> bool:
    return name in query and _last(query, name).lower() not in OFF


def _whole(query: Query, name: str, default: int, low: int, high: int) -> int:
    text = _last(query, name)
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else low - 1
    if not low <= value <= high:
        _refuse(f"{name} must be a whole number from {low} to {high}")
    return value


def _warning(parameter: str, what: str) -> Mapping[str, Any]:
    return {
        "parameter": parameter[:40],
        "type": "unsupported_parameter",
        "message": f"{parameter[:40]} {what}",
    }


def _refuse(message: str) -> NoReturn:
    raise Refused(Refusal(400, "Bad Request", message))
