"""Who is held out and what it is called: below training, evaluation and benchmarks."""
