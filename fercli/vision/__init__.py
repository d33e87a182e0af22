"""Image, video and face processing."""
