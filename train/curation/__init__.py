"""From a scenario to verified sounds: plan, retrieve, verify, generate where nothing fits."""
