"""Video files to frames with their index and time, and back."""
