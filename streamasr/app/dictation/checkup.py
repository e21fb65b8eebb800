"""What `streamasr doctor` says of dictation: how it would type here, and what it would not know.

check_typing(os.environ)
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from streamasr.app.doctor import Check, Status
from streamasr.edge.dictation.focus import find_focus
from streamasr.edge.dictation.ways import best_way, survey
from streamasr.errors import DeviceError


def check_typing(environ: Mapping[str, str] = os.environ) -> Check:
    """The way that `dictate` would type in this session, and why no better one."""
    ways = {way.name: way for way in survey(environ)}
    try:
        best = best_way(environ)
    except DeviceError:
        best = ""
    if not (best or environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY")):
        found = "no desktop session: `dictate` can only print (--typing stdout)"
        return Check("typing", Status.OK, found)
    # a compositor that refuses is no fault to repair, a program that is missing is
    passed = [way for way in ways.values() if not way.works and "session" not in way.why]
    better = [
        way for way in passed if not best or list(ways).index(way.name) < list(ways).index(best)
    ]
    remedy = "; ".join(f"{way.name}: {way.why}" for way in better)
    if not best:
        return Check("typing", Status.WARN, "nothing can type into a window here", remedy)
    status = Status.WARN if best == "clipboard" else Status.OK
    return Check("typing", status, f"by {best}: {ways[best].why}", remedy)


def check_focus(environ: Mapping[str, str] = os.environ) -> Check:
    """Whether `dictate` knows when the focus moves."""
    if not (environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY")):
        return Check("focus", Status.OK, "no desktop session")
    focus = find_focus(environ)
    try:
        if focus.name:
            return Check("focus", Status.OK, f"{focus.name} tells which window has it")
    finally:
        focus.close()
    return Check(
        "focus",
        Status.WARN,
        "this desktop does not tell which window has it",
        "keep the window while you speak: text goes where the focus is, and profiles do not apply",
    )
