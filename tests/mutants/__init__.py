"""Draw small faults, put each into a copy of the package, and see whether the tests notice."""
