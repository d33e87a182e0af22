"""The drawn classroom: frames, truth and votes of pupils who do not exist."""
