"""
What a model makes of streams, heard once and kept.

A stream is played to the robot's own parts (``playing``), what they tell is written down
(``notes``, ``record``) and found again when nothing that decides it has changed (``cache``,
``listener``).
"""
