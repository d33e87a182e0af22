"""`fer split`: labelled faces to training, validation and test sets."""
