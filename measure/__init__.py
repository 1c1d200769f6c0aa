"""How figures are made, drawn and written down: below training, evaluation and benchmarks."""
