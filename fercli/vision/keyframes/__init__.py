"""Frames of a video to those that are kept."""
