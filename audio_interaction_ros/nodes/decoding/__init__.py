"""The parts of the decoder node."""
