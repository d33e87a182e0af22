"""`fer eval`: a trained run and held-out faces to scores with intervals."""
