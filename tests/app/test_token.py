import subprocess
import sys
from pathlib import Path

from streamasr.edge.admission import Tokens


def token(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamasr", "token", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_printed_opens_the_door_that_the_file_guards(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    first = token(str(file), "--name", "laptop").stdout.strip()
    second = token(str(file)).stdout.strip()
    assert first != second
    text = file.read_text()
    assert first not in text
    assert text.startswith("# laptop\nsha256:")
    found = Tokens.from_file(file)
    assert found.accept(first)
    assert found.accept(second)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_without_a_last_newline_stays_whole(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("plain")
    file.chmod(0o640)
    made = token(str(file)).stdout.strip()
    found = Tokens.from_file(file)
    assert found.accept("plain")
    assert found.accept(made)
    assert file.stat().st_mode & 0o777 == 0o640


def test_without_a_file_the_line_for_one_is_printed(tmp_path: Path) -> None:
    secret, line = token().stdout.split()
    (tmp_path / "tokens").write_text(line)
    (tmp_path / "tokens").chmod(0o600)
    assert Tokens.from_file(tmp_path / "tokens").accept(secret)


def test_a_file_that_cannot_be_written_or_a_name_of_two_lines_is_told(tmp_path: Path) -> None:
    done = token(str(tmp_path / "no" / "tokens"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "No such file" in done.stderr
    done = token(str(tmp_path / "tokens"), "--name", "one\nsha256:00")
    assert (done.returncode, done.stdout) == (2, "")
    assert "one line" in done.stderr
