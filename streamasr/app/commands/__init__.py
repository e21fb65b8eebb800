"""One module a verb, each with the function of its name."""
