"""Moved to edge.lm.ngram."""

from streamasr.edge.lm.ngram import *  # noqa: F403
