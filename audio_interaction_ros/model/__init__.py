"""Readable torch reference of the model, its checkpoints and its tokenizer."""
