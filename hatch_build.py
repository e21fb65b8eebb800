"""Compiles `streamasr/core/search.c` when the package is installed or built; runs alone too.

    python hatch_build.py

Without a C compiler the package installs just as well, and the graph decoder is slower.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run alone
    BuildHookInterface = object  # type: ignore[assignment,misc]

CORE = Path(__file__).parent / "streamasr" / "core"
SOURCE, LIBRARY = CORE / "search.c", CORE / "_search.so"
FLAGS = ("-O3", "-std=c11", "-ffp-contract=off", "-fPIC", "-shared")


def compile_search() -> bool:
    """Make the library beside its source; says whether it is there."""
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        print("streamasr: no C compiler; the graph decoder will run in numpy, slower")
        return False
    partial = LIBRARY.with_suffix(".partial")
    command = [*compiler.split(), *FLAGS, "-o", str(partial), str(SOURCE), "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"streamasr: {SOURCE.name} does not compile: {getattr(error, 'stderr', error)}")
        return False
    partial.replace(LIBRARY)
    return True


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """What hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or not compile_search():
            return
        if version == "editable":
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(str(LIBRARY.relative_to(Path(__file__).parent)))


if __name__ == "__main__":
    raise SystemExit(0 if compile_search() else 1)
