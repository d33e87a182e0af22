"""Pixels to pixels: pictures, videos, keyframes, faces, alignment, quality and tracks."""
