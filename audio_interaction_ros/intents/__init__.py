"""What was said, by its words: intents and their slots, whom it was for, when to be quiet."""
