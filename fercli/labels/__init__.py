"""Votes, labels, inter-annotator agreement, and splits by subject."""
