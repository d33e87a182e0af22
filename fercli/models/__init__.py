"""Model architectures, and what is known of them without loading torch."""
