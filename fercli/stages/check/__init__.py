"""`fer check`: images, labels and splits to a list of problems."""
