"""The networks: images to logits, one module for each paper, and the layers that they share."""
