"""Recordings as regression tests: what was heard of one, held against what was expected."""
