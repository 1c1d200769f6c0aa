"""Front end: any block in, exact chunks and mel frames out, all state explicit."""
