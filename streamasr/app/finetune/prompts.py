"""Sentences to read aloud: all sounds of English, often enough, in ten minutes.

The list that comes with the program was written for it and is in the public domain (CC0).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from streamasr.app.text import is_speakable
from streamasr.errors import ConfigError

OWN = Path(__file__).with_name("prompts.txt")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One sentence."""

    text: str

    @property
    def id(self) -> str:
        """A name for its recording, whatever list the sentence stands in."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def read_prompts(file: Path | None = None) -> list[Prompt]:
    """A list of sentences, one a line; raises ConfigError where one cannot be read aloud."""
    file = file or OWN
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read prompts from {file}: {error}") from None
    prompts = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not is_speakable(line):
            raise ConfigError(
                f"{file}:{number}: {line.strip()!r} has many readings, or no words",
                remedy="write numbers as words",
            )
        prompts.append(Prompt(" ".join(line.split())))
    if not prompts:
        raise ConfigError(f"{file} has no sentences", remedy="one a line")
    return prompts
