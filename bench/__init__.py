"""Benchmarks: each a script with a question, a table, and one line of JSON last."""
