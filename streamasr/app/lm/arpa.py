"""Moved to edge.lm.arpa."""

from streamasr.edge.lm.arpa import *  # noqa: F403
