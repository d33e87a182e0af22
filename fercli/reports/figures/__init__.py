"""Numbers to PNG bytes, the same bytes every time."""
