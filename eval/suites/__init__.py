"""The public benchmarks: their forms, their rules, and how an item is put to a streaming model."""
