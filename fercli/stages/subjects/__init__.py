"""`fer subjects`: faces to the people they belong to."""
