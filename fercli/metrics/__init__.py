"""Predictions to numbers, each with its interval."""
