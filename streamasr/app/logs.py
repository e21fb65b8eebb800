"""Where the log goes: the error stream, one line an event."""

from __future__ import annotations

import logging
import os
import sys


def set_up_logging(level: int, *, force: bool = True) -> None:
    """Log from ``level`` on; without ``force`` what was set up before stays.

    Times are left out where a service manager adds its own.
    """
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=level,
        format=f"{stamp}%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=force,
    )
