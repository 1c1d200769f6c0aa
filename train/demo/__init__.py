"""A small corpus of all seven abilities out of what a fresh machine can have."""
