"""How a realtime session is configured, in the two shapes that clients send it.

GA: ``{"type": "transcription", "audio": {"input": {...}}}``; beta: the same things side by
side, to which NVIDIA's clients add sections of their own. What is not available is refused
with the name of the field, and the session stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from streamasr.core.audio import HIGHEST_RATE, LOWEST_RATE
from streamasr.core.dialects import Listen, Refused
from streamasr.core.dialects.openai import check_language, check_model
from streamasr.core.hotwords import DEFAULT_BOOST, HIGHEST_BOOST, MOST, HotWord
from streamasr.core.messages import Start
from streamasr.errors import ConfigError, PeerError

RATE = 24_000
"""Hertz of 16-bit audio, unless the client says otherwise."""
TELEPHONE_RATE = 8000
GA_FORMATS = {"audio/pcm": "s16le", "audio/pcmu": "mulaw", "audio/pcma": "alaw"}
BETA_FORMATS = {"pcm16": "s16le", "g711_ulaw": "mulaw", "g711_alaw": "alaw", "none": "s16le"}
SILENCE_MS = (120, 10_000)
PREFIX_MS = (0, 2000)


class Unsupported(PeerError):
    """A field that cannot be what the client asks."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Config:
    """What a session does."""

    encoding: str = "s16le"
    rate: int = RATE
    channels: int = 1
    is_detecting: bool = True
    """The server ends turns; otherwise `commit` does."""
    silence_ms: int = 500
    prefix_ms: int = 300
    hotwords: tuple[HotWord, ...] = ()

    def listen(self) -> Listen:
        start = Start(
            encoding=self.encoding,
            sample_rate=self.rate,
            channels=self.channels,
            endpoint_ms=self.silence_ms,
            hotwords=self.hotwords or None,
            punctuate=True,
        )
        return Listen(start, preroll_ms=self.prefix_ms)

    @property
    def turn_detection(self) -> Mapping[str, Any] | None:
        if not self.is_detecting:
            return None
        return {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": self.prefix_ms,
            "silence_duration_ms": self.silence_ms,
        }

    def ga(self, model: str) -> Mapping[str, Any]:
        """As a GA client sees it."""
        form: dict[str, Any] = {"type": _name(GA_FORMATS, self.encoding)}
        if self.encoding == "s16le":
            form["rate"] = self.rate
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "audio": {
                "input": {
                    "format": form,
                    "transcription": {"model": model, "language": "en", "prompt": None},
                    "noise_reduction": None,
                    "turn_detection": self.turn_detection,
                }
            },
            "include": None,
        }

    def beta(self, model: str) -> Mapping[str, Any]:
        """As a beta client sees it, and NVIDIA's."""
        return {
            "object": "realtime.transcription_session",
            "input_audio_format": _name(BETA_FORMATS, self.encoding),
            "input_audio_transcription": {"model": model, "language": "en", "prompt": ""},
            "input_audio_params": {"sample_rate_hz": self.rate, "num_channels": self.channels},
            "input_audio_noise_reduction": None,
            "turn_detection": self.turn_detection,
        }


def read_ga(body: Mapping[str, Any], config: Config, model: str) -> Config:
    """A configuration after ``session.update``; raises Unsupported."""
    if body.get("type", "transcription") != "transcription":
        _refuse("session.type", "only transcription sessions are available")
    given = _object(_object(body, "audio", "session.audio"), "input", "session.audio.input")
    where = "session.audio.input"
    if given.get("format") is not None:
        form = _object(given, "format", f"{where}.format")
        config = _format(form.get("type"), form.get("rate"), GA_FORMATS, config, f"{where}.format")
    _check_common(body, given.get("noise_reduction"), f"{where}.noise_reduction")
    words = _transcription(given, "transcription", model, where)
    if words is not None:
        config = replace(config, hotwords=words)
    return _turns(given, config, f"{where}.turn_detection")


def read_beta(body: Mapping[str, Any], config: Config, model: str) -> Config:
    """A configuration after ``transcription_session.update``; raises Unsupported."""
    params = _object(body, "input_audio_params", "session.input_audio_params")
    name = body.get("input_audio_format")
    if name is not None:
        rate = params.get("sample_rate_hz")
        config = _format(name, rate, BETA_FORMATS, config, "session.input_audio_format")
    channels = params.get("num_channels", config.channels)
    if type(channels) is not int or not 1 <= channels <= 8:
        _refuse("session.input_audio_params.num_channels", "1 to 8 channels")
    _check_common(body, body.get("input_audio_noise_reduction"), "input_audio_noise_reduction")
    _transcription(body, "input_audio_transcription", model, "session")
    config = replace(config, channels=channels)
    if _object(body, "speaker_diarization", "session.speaker_diarization").get(
        "enable_speaker_diarization"
    ):
        _refuse("session.speaker_diarization", "speakers cannot be told apart")
    boosting = _object(body, "word_boosting", "session.word_boosting")
    if boosting.get("enable_word_boosting"):
        config = replace(config, hotwords=_boosted(boosting.get("word_boosting_list")))
    return _turns(body, config, "session.turn_detection")


def _format(
    name: object, rate: object, known: Mapping[str, str], config: Config, param: str
) -> Config:
    encoding = known.get(name) if isinstance(name, str) else None
    if encoding is None:
        _refuse(param, f"one of {', '.join(known)}")
    if rate is None:
        rate = RATE if encoding == "s16le" else TELEPHONE_RATE
    if type(rate) is not int or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        _refuse(param, f"a rate is a whole number from {LOWEST_RATE} to {HIGHEST_RATE}")
    return replace(config, encoding=encoding, rate=rate)


def _check_common(body: Mapping[str, Any], noise_reduction: object, param: str) -> None:
    if noise_reduction is not None:
        _refuse(param, "noise reduction is not available")
    if body.get("include"):
        _refuse("session.include", "logprobs are not available")


def _transcription(
    body: Mapping[str, Any], name: str, model: str, where: str
) -> tuple[HotWord, ...] | None:
    """Check model and language; the keywords as hot words, None where there are none."""
    given = _object(body, name, f"{where}.{name}")
    try:
        for key, check in (
            ("model", lambda value: check_model(value, model)),
            ("language", check_language),
        ):
            value = given.get(key)
            if value is not None and not isinstance(value, str):
                _refuse(f"{where}.{name}.{key}", "must be a string")
            check(value or "")
    except Refused as refused:
        raise Unsupported(f"{where}.{name}.{key}", refused.message) from None
    if "keywords" not in given:
        return None
    return _hotwords(given["keywords"], DEFAULT_BOOST, f"{where}.{name}.keywords")


def _boosted(groups: object) -> tuple[HotWord, ...]:
    param = "session.word_boosting"
    if not isinstance(groups, list):
        _refuse(param, "word_boosting_list must be a list")
    found: list[HotWord] = []
    for group in groups:
        boost = group.get("boost", DEFAULT_BOOST) if isinstance(group, dict) else None
        if not isinstance(boost, int | float):
            _refuse(param, "objects of phrases and a boost")
        found += _hotwords(group.get("phrases"), min(max(boost, 0.0), HIGHEST_BOOST), param)
    return tuple(found)


def _hotwords(value: object, boost: float, param: str) -> tuple[HotWord, ...]:
    items = [] if value is None else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        _refuse(param, "must be a list of strings")
    if len(items) > MOST:
        _refuse(param, f"at most {MOST} phrases")
    try:
        return tuple(HotWord(item, float(boost)) for item in items)
    except ConfigError as error:
        raise Unsupported(param, error.message) from None


def _turns(body: Mapping[str, Any], config: Config, param: str) -> Config:
    """Who ends turns; a field that is not there changes nothing, null is a value."""
    if "turn_detection" not in body:
        return config
    if body["turn_detection"] is None:
        return replace(config, is_detecting=False)
    given = _object(body, "turn_detection", param)
    if given.get("type", "server_vad") != "server_vad":
        _refuse(f"{param}.type", "only server_vad is available")
    if given.get("idle_timeout_ms") is not None:
        _refuse(f"{param}.idle_timeout_ms", "is not available")
    threshold = given.get("threshold")
    if threshold is not None and not (type(threshold) in (int, float) and 0 <= threshold <= 1):
        _refuse(f"{param}.threshold", "a number from 0 to 1")
    silence = _limited(given, "silence_duration_ms", config.silence_ms, SILENCE_MS, param)
    prefix = _limited(given, "prefix_padding_ms", config.prefix_ms, PREFIX_MS, param)
    return replace(config, is_detecting=True, silence_ms=silence, prefix_ms=prefix)


def _limited(
    given: Mapping[str, Any], name: str, default: int, limits: tuple[int, int], param: str
) -> int:
    value = given.get(name)
    if value is None:
        return default
    if type(value) is not int or not 0 <= value <= 1_000_000:
        _refuse(f"{param}.{name}", "a number of milliseconds")
    return min(max(value, limits[0]), limits[1])


def _object(body: Mapping[str, Any], name: str, param: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        _refuse(param, "must be an object")
    return value


def _name(formats: Mapping[str, str], encoding: str) -> str:
    return next(name for name, value in formats.items() if value == encoding)


def _refuse(param: str, message: str) -> NoReturn:
    raise Unsupported(param, f"{param.rpartition('.')[2]}: {message}")
