"""Votes to labels, agreement between annotators, and splits of faces by subject."""
