"""What every node here shares: states, worker, parameters, diagnostics, and spinning."""
