"""Measure a model on recordings that it was not trained on; ``python -m eval --help``."""
