"""Files of weights to the state of a network: layouts, sources, and formats of other tools."""
