"""Sounds that a user taught: small heads on the frozen embedding, and the folder they lie in."""
