"""Performance of the assistant: `python -m bench` measures, prints a table and writes JSON."""
