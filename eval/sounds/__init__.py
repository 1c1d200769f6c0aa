"""
Alerts decided from sounds: one hearing of all streams, many ways to decide.

Streams are heard once (``embeddings``), told apart by scorers (``scorers``), decided on by the
robot's own detector and policy (``detection``) with thresholds that are the robot's or chosen on
the validation side (``thresholds``), and measured (``figures``, ``confusion``, ``subset``).
"""
