"""From alerts, sounds and intents to what robots already have: flags, events, calls, a log."""
