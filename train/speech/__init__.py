"""Text to checked speech: spoken style, voices, and what a recogniser hears."""
