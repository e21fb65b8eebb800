"""Moved to edge.lm.lexicon."""

from streamasr.edge.lm.lexicon import *  # noqa: F403
