"""A robot's always-on ears: streaming audio to transcripts, replies and alerts."""

__version__ = '0.1.0'
