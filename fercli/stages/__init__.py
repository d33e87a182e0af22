"""Verbs: each stage takes a project and settings to a project and a result. This is the Python API."""
