"""`fer gradcam`: a run to a grid of maps that show where its model looks."""
