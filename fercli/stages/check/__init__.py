"""`fer check`: list problems of images, labels and splits."""
