import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

SCRIPT = """
import logging
from streamasr.app.logs import set_up_logging
set_up_logging(logging.INFO)
set_up_logging(logging.DEBUG, force=False)
logging.getLogger("streamasr.x").debug("hidden")
logging.getLogger("streamasr.x").info("shown")
"""


def test_lines_go_to_the_error_stream_and_bear_a_time() -> None:
    environ = {"JOURNAL_STREAM": "8:1"}  # inherited: this stream is another one
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environ
    )
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    time, _, rest = line.partition(" INFO ")
    assert datetime.fromisoformat(time)
    assert rest == "streamasr.x: shown"


JOURNAL_SCRIPT = (
    SCRIPT
    + """
log = logging.getLogger("streamasr.x")
log.warning("look\\nhere")
log.error("bad")
"""
)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_journal_is_told_how_severe_each_line_is(tmp_path: Path, as_json: bool) -> None:
    script = JOURNAL_SCRIPT.replace("force=False", f"force=False, as_json={as_json}")
    with (tmp_path / "journal").open("w+") as stream:
        facts = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
        subprocess.run([sys.executable, "-c", script], stderr=stream, env=environ, check=True)
        stream.seek(0)
        lines = stream.read().splitlines()
    if as_json:
        assert [line[:4] for line in lines] == ["<6>{", "<4>{", "<3>{"]
        assert [json.loads(line[3:])["message"] for line in lines] == ["shown", "look\nhere", "bad"]
    else:
        assert lines == [
            "<6>INFO streamasr.x: shown",
            "<4>WARNING streamasr.x: look",
            "<4>here",
            "<3>ERROR streamasr.x: bad",
        ]


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
