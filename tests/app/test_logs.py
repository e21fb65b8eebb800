import subprocess
import sys

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
