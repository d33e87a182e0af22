"""Fit a network and apply it."""
