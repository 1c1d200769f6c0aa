"""The parts of the encoder node."""
