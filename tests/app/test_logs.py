import json
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

SCRIPT = """
import logging
from streamasr.app.logs import set_up_logging
set_up_logging(logging.INFO)
set_up_logging(logging.DEBUG, force=False)
logging.getLogger("streamasr.x").debug("hidden")
logging.getLogger("streamasr.x").info("shown")
"""


@pytest.mark.parametrize("journal", [False, True], ids=["terminal", "journal"])
def test_lines_go_to_the_error_stream_and_bear_a_time_unless_the_journal_does(
    journal: bool,
) -> None:
    environ = {"JOURNAL_STREAM": "8:1"} if journal else {}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environ
    )
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.endswith("INFO streamasr.x: shown")
    assert line.startswith("INFO") == journal


JSON_SCRIPT = """
import logging
from streamasr.app.logs import set_up_logging
set_up_logging(logging.INFO, as_json=True)
log = logging.getLogger("streamasr.x")
log.info("so %s\\nand on", "ü", extra={"fields": {"words": 3}})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def test_as_json_every_event_is_one_object_on_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", JSON_SCRIPT], capture_output=True, text=True)
    first, second = map(json.loads, done.stderr.splitlines())
    time = datetime.fromisoformat(first.pop("time"))
    assert time.utcoffset() == timedelta(0)
    wanted = {"level": "info", "logger": "streamasr.x", "message": "so ü\nand on", "words": 3}
    assert first == wanted
    assert second["level"] == "error"
    assert second["exception"].endswith("ZeroDivisionError: division by zero")
