"""`fer labels`: votes in, labels, agreement and sheets for annotators out."""
