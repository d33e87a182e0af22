"""Synthetic classroom: videos, ground truth and simulated votes."""
