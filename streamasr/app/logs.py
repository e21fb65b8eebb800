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

    As text, times are left out where a service manager adds its own.
    """
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=level,
        format=f"{stamp}%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=force,
    )
    if as_json:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())


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
