"""Parts of safety_events_node."""
