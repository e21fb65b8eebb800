"""Where the log goes: the error stream, one line an event, as text or as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

FIELDS = "fields"
"""Of a record: its numbers by name, as ``extra={"fields": {...}}`` gave them."""


def set_up_logging(level: int, *, force: bool = True, as_json: bool = False) -> None:
    """Log from ``level`` on; without ``force`` what was set up before stays.

    The journal of systemd adds times itself, and is told how severe each line is.
    """
    told = goes_to_journal()
    stamp = "" if told else "%(asctime)s "
    logging.basicConfig(level=level, stream=sys.stderr, force=force)
    plain = logging.Formatter(f"{stamp}%(levelname)s %(name)s: %(message)s")
    formatter = JsonFormatter() if as_json else plain
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JournalFormatter(formatter) if told else formatter)


def goes_to_journal() -> bool:
    """Whether the error stream is the journal's; the variable alone is inherited by terminals."""
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


class JournalFormatter(logging.Formatter):
    """Another formatter's lines, each after its severity as syslog counts: ``<4>`` warns."""

    SEVERITIES = (
        (logging.CRITICAL, 2),
        (logging.ERROR, 3),
        (logging.WARNING, 4),
        (logging.INFO, 6),
    )

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        found = (number for level, number in self.SEVERITIES if record.levelno >= level)
        mark = f"<{next(found, 7)}>"
        return "\n".join(mark + line for line in self._inner.format(record).splitlines())


class JsonFormatter(logging.Formatter):
    """A record as one object on one line: time, level, logger, message, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
