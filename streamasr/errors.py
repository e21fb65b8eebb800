"""The errors that streamasr raises on purpose.

    StreamasrError
    ├── UsageError            the caller asked for something that cannot be: fix the call
    │   ├── AudioFormatError  samples or bytes that are not what was declared
    │   ├── StreamClosed      audio given to a stream that was finished
    │   ├── ConfigError       a setting or a training configuration that makes no sense
    │   └── MissingExtra      an optional dependency is not installed
    ├── PeerError             the other side of a connection broke the protocol
    │   └── WireError         a message that makes no sense, with its code (core.messages)
    ├── BundleError           a model folder is missing, damaged, or does not agree with itself
    ├── DeviceError           a microphone or sound server failed
    └── OverloadError         no room for one more: try later
        └── CapacityError     an engine has no free slot

Every message names the fault and, where there is one, the remedy. ``code`` is what
the wire carries. The command line maps UsageError to exit code 2, all else and a missing
extra to 1.
"""

from __future__ import annotations

import sys


class StreamasrError(Exception):
    """Base of all errors raised on purpose."""

    code = "internal"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class UsageError(StreamasrError):
    code = "usage"


class AudioFormatError(UsageError):
    code = "audio_format"


class StreamClosed(UsageError):
    code = "stream_closed"


class ConfigError(UsageError):
    code = "config"


class MissingExtra(UsageError):
    """An optional dependency is not installed; the message names the extra."""

    code = "missing_extra"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed",
            remedy=f"{sys.executable} -m pip install 'streamasr[{extra}]'",
        )


class PeerError(StreamasrError):
    code = "protocol"


class BundleError(StreamasrError):
    code = "model"


class DeviceError(StreamasrError):
    code = "device"


class OverloadError(StreamasrError):
    code = "busy"


class CapacityError(OverloadError):
    code = "busy"
