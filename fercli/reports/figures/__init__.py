"""Figures as PNG bytes, the same bytes every time."""
