"""Readers of vote files, one module per format, and the detection of formats."""
