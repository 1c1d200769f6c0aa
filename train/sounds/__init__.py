"""Sounds made on demand: standardised signals and generators behind one protocol."""
