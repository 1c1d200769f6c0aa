"""Files of weights and what they say of themselves: read, converted, merged, fetched."""
