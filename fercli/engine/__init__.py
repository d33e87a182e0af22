"""Map a function over many items; same results, same order, whatever runs it."""
