"""Tensors to logits: the networks, and what is known of them without loading torch."""
