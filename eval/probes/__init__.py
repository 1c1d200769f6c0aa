"""Probes: what happens inside a model while it listens, asked with hooks on its torch nets."""
