"""A plain forward pass for each network, written from its paper without looking at the network, weights shared."""
