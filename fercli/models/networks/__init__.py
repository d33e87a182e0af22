"""The architectures, one module per paper, and the layers they share."""
