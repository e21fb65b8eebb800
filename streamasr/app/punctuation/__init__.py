"""Marks and capitals measured and written; training is in `app.train.punctuation`."""
