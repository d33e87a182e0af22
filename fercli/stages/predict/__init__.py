"""`fer predict`: images and videos to the predicted emotion of each face."""
