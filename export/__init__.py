"""Graphs of a model for other runtimes: `python -m export` writes and verifies them."""
