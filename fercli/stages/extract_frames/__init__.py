"""`fer extract-frames`: videos to keyframes, each with its index and time."""
