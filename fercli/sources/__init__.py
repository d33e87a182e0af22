"""Readers of public datasets and class folders."""
