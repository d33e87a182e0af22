"""`fer align`: frames to faces, found, kept or dropped for a reason, and cropped."""
