"""A model made one person's own: speech gathered, the network adapted, the result installed."""
