"""Backends that run the model: one encoder and one decoder protocol, many frameworks."""
