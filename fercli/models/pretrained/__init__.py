"""Pretrained weights: layouts, sources and file formats."""
