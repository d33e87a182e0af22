"""Selection of frames from videos."""
