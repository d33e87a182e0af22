"""Rows to batches."""
