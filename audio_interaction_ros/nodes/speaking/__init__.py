"""The parts of speech_node."""
