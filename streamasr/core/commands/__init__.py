"""Voice commands: which sentences are understood, what they mean, and how sure that is."""
