"""Answers and translations that a text model writes of words that were read."""
