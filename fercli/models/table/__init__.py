"""What is known of each network without loading torch: paper, input, counts, recipes."""
