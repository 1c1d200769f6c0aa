"""Messages and bags to and from what the package itself speaks of."""
