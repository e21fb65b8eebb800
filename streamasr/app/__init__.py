"""The app ring: the command line, training and evaluation."""
